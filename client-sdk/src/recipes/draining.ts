import type { Client } from '../client.js'
import type { Guard } from '../transaction.js'
import { listTree } from './tree-listing.js'
import { childPath, inDirectory, persistently, removeLater } from './znodes.js'

/**
 * How those who follow the views of a group tell those who leave it that they need them no more:
 * each has a znode that says up to which epoch it has dealt with the views. It is written only for
 * a view in which somebody begins to leave, and read only by those who leave.
 */

/** Where they are. */
export const acknowledgementsOf = (group: string): string => childPath(group, 'acknowledgements')

const encoder = new TextEncoder()
const encodeEpoch = (epoch: number): Uint8Array => encoder.encode(String(epoch))
const decodeEpoch = (data: Uint8Array | null): number =>
  Number(new TextDecoder().decode(data ?? undefined))

const prefixOf = (generation: number): string => `${generation}-`

/** One loop over views; it ends with its signal at the latest. */
export class Acknowledger {
  readonly #client: Client
  readonly #guard: Guard
  readonly #signal: AbortSignal
  readonly #onAbort = (): void => this.end()

  private constructor(client: Client, guard: Guard, signal: AbortSignal) {
    this.#client = client
    this.#guard = guard
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort)
    if (signal.aborted) this.end()
  }

  /** Once this has resolved it is waited for, so it comes before the first view is read. */
  static async begin(
    client: Client,
    directory: string,
    { generation, signal }: { readonly generation: number; readonly signal: AbortSignal },
  ): Promise<Acknowledger> {
    const prefix = childPath(directory, prefixOf(generation))
    const options = { kind: 'ephemeralSequential', withStat: true, signal } as const
    const { path, stat } = await inDirectory(client, { path: directory, wait: { signal } }, () =>
      client.create(prefix, encodeEpoch(0), options),
    )
    return new Acknowledger(client, { path, czxid: stat.czxid }, signal)
  }

  /** All views up to this one are dealt with. */
  async upTo(epoch: number): Promise<void> {
    const { path } = this.#guard
    const telling = this.#client.transaction().add(this.#guard).set(path, encodeEpoch(epoch))
    await persistently(this.#client, () => telling.commit({ signal: this.#signal }))
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    removeLater(this.#client, this.#guard)
  }
}

interface Drain {
  /** Of the view in which it began to leave. */
  readonly epoch: number
  readonly generation: number
  readonly signal: AbortSignal
}

/**
 * Waits until all others who deal with views have dealt with the one of this epoch, or are gone.
 *
 * @returns false when the signal aborted before
 */
export const whenDrained = async (
  client: Client,
  directory: string,
  drain: Drain,
): Promise<boolean> => {
  try {
    while (!(await isDrained(client, directory, drain))) drain.signal.throwIfAborted()
    return true
  } catch (error) {
    if (drain.signal.aborted) return false
    throw error
  }
}

/** Far more loops than there are members. */
const acknowledgersMax = 1_000_000

/** @returns false when it has to be looked at anew */
const isDrained = async (
  client: Client,
  directory: string,
  { epoch, generation, signal }: Drain,
): Promise<boolean> => {
  await using stream = client.watch(directory, { recursive: true, detail: true, signal })
  const reading = { path: directory, entriesMax: acknowledgersMax, signal }
  const listing = await listTree(client, stream, reading)
  // Who begins to look at views later begins with one in which it is leaving.
  const waitedFor = new Set<string>()
  const own = childPath(directory, prefixOf(generation))
  for (const [path, { data }] of listing?.znodes ?? []) {
    const isOther = path !== directory && !path.startsWith(own)
    if (isOther && decodeEpoch(data) < epoch) waitedFor.add(path)
  }
  if (waitedFor.size === 0) return true
  for await (const event of stream) {
    if (event.type === 'caughtUp') continue
    if (event.type === 'gap') return false
    const isDone = event.type === 'deleted' || decodeEpoch(event.detail?.data ?? null) >= epoch
    if (isDone) waitedFor.delete(event.path)
    if (waitedFor.size === 0) return true
  }
  // The client was closed, and with it all is left.
  return true
}
