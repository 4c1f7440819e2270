import type { Stat } from '@conclave/protocol'
import type { Client } from '../client.js'
import { CompactedError, NoNodeError } from '../errors.js'
import type { ChangedZnode, WatchEvent } from '../watch.js'
import { decodeMember, type Member, type MemberState } from './member.js'
import { listTree, type TreeListing, type ZnodeState } from './tree-listing.js'

/** A group at one moment, the same for all who look. */
export interface MembershipView<D> {
  /** One more for each change of the group: two views of one epoch are the same view. */
  readonly epoch: number
  /** Those who are joining, active or leaving, by their ids, the oldest generation first. */
  readonly members: ReadonlyMap<string, Member<D>>
  /** What made it out of the view before; none in the first view of a loop. */
  readonly changes: readonly MemberChange<D>[]
}

/** One member's step. */
export interface MemberChange<D> {
  /** Null: it was not there. The same state: it says something else of itself. */
  readonly from: MemberState | null
  /** As it is now; `left` or `failed`, it is in `members` no more. */
  readonly member: Member<D>
}

/**
 * How often the group has changed. The servers count it: in `cversion` who came and who went, for
 * whatever reason, and in `version` the other steps, whose transactions set the directory too.
 */
export const epochOf = (directory: Stat): number => directory.version + directory.cversion

/** A larger group is refused. */
const membersMax = 100_000

/**
 * The views of a group, from the present one on, none left out.
 *
 * @throws CompactedError when the servers have forgotten what happened meanwhile; NoNodeError when
 *   somebody deleted the directory
 */
export async function* viewsOf<D>(
  client: Client,
  directory: string,
  signal: AbortSignal,
): AsyncGenerator<MembershipView<D>, void, undefined> {
  await using stream = client.watch(directory, { recursive: true, detail: true, signal })
  const listing = await listTree(client, stream, {
    path: directory,
    entriesMax: membersMax,
    signal,
  })
  if (listing === null) return
  const counted = await client.exists(directory, { signal })
  const roster = new Roster<D>(directory, listing.znodes, counted)
  // Both are of some moment; all that the later one has counted is then told.
  while (!stream.isCaughtUp) {
    const { value: event } = await stream.next()
    if (event === undefined) return
    roster.take(event)
  }
  yield roster.firstView()
  for await (const event of stream) if (roster.take(event)) yield roster.view()
}

/** Who is in a group, kept up to date by the events of its directory. */
class Roster<D> {
  readonly #directory: string
  /** The oldest first: one that comes back is deleted in between. */
  readonly #members = new Map<string, Member<D>>()
  /** Events up to here are in the epoch that was read. */
  readonly #countedZxid: number
  #epoch: number
  #changes: MemberChange<D>[] = []

  constructor(directory: string, znodes: TreeListing['znodes'], counted: Stat | null) {
    this.#directory = directory
    this.#countedZxid = counted === null ? 0 : Math.max(counted.pzxid, counted.mzxid)
    this.#epoch = counted === null ? 0 : epochOf(counted)
    const oldestFirst = [...znodes].toSorted(([, a], [, b]) => a.czxid - b.czxid)
    for (const [path, state] of oldestFirst) if (this.#isChild(path)) this.#present(path, state)
  }

  firstView(): MembershipView<D> {
    this.#changes = []
    return this.view()
  }

  view(): MembershipView<D> {
    return Object.freeze({
      epoch: this.#epoch,
      members: new Map(this.#members),
      changes: Object.freeze(this.#changes.splice(0)),
    })
  }

  /** @returns whether it began a new epoch */
  take(event: WatchEvent): boolean {
    if (event.type === 'caughtUp') return false
    if (event.type === 'gap') {
      const message = 'the servers have forgotten some views: begin again with the present one'
      throw new CompactedError({ path: this.#directory, message })
    }
    const isCounted = event.path === this.#directory ? this.#ownStep(event) : this.#step(event)
    if (!isCounted || event.zxid <= this.#countedZxid) return false
    this.#epoch += 1
    return true
  }

  #ownStep({ type, path }: ChangedZnode): boolean {
    if (type !== 'deleted') return type === 'dataChanged'
    throw new NoNodeError({ path, message: 'the group was deleted' })
  }

  #step({ type, path, detail }: ChangedZnode): boolean {
    if (!this.#isChild(path)) return false
    if (type === 'deleted') this.#departed(path)
    else if (detail !== null) this.#present(path, detail)
    return type !== 'dataChanged'
  }

  #isChild(path: string): boolean {
    return path.lastIndexOf('/') === this.#directory.length
  }

  #present(path: string, { data, czxid }: ZnodeState): void {
    const record = decodeMember(data)
    if (record === null) return
    const id = path.slice(path.lastIndexOf('/') + 1)
    const from = this.#members.get(id)?.state ?? null
    const guard = { path, czxid }
    const said = { id, state: record.state, generation: czxid, data: record.data as D, guard }
    const member = Object.freeze(said)
    this.#members.set(id, member)
    this.#changes.push({ from, member })
  }

  #departed(path: string): void {
    const id = path.slice(path.lastIndexOf('/') + 1)
    const last = this.#members.get(id)
    this.#members.delete(id)
    if (last === undefined || last.state === 'left') return
    this.#changes.push({ from: last.state, member: Object.freeze({ ...last, state: 'failed' }) })
  }
}
