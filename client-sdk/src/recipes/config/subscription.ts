import { anything, type Checks, isFunction, isSignal } from '../../checked.js'
import { ClosedError, UndecodableError } from '../../errors.js'
import { Lookout } from '../waiting.js'
import { targetOf } from './drift.js'
import { NodeMark } from './nodes.js'
import type { Ground } from './rollout.js'
import { type ConfigNode, nodeOf } from './stages.js'
import type { ConfigVersion, Entry, Head } from './versions.js'

export interface ConfigSubscribeOptions {
  /**
   * Who runs the configuration here. It is listed by `drift` and takes part in rollouts. A version
   * counts as run by it once the loop asks for the next one.
   */
  readonly node?: ConfigNode | undefined
  /**
   * Told of a document that is not what the schema expects; the loop goes on with the one before.
   * Without it, the loop throws the error.
   */
  readonly onInvalid?: ((error: UndecodableError) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export const subscribeChecks: Checks<ConfigSubscribeOptions> = {
  node: anything,
  onInvalid: isFunction,
  signal: isSignal,
}

/** Each version that is to be run here; a slow loop gets the latest. */
export async function* follow<T>(
  ground: Ground,
  documentOf: (entry: Entry) => ConfigVersion<T>,
  options: ConfigSubscribeOptions,
): AsyncGenerator<ConfigVersion<T>, void, undefined> {
  const { client, path, versions } = ground
  const signal = options.signal ?? new AbortController().signal
  const node = options.node === undefined ? null : nodeOf(options.node)
  await using lookout = new Lookout(client, signal)
  await using mark = node === null ? null : new NodeMark(client, path, { node, wait: { signal } })
  try {
    await mark?.announce()
    for (let judged = 0; ;) {
      const seen = await look(ground, documentOf, { judged, node, signal })
      judged = seen?.version ?? judged
      if (seen?.found !== undefined) {
        yield seen.found
        await mark?.runs(judged)
      } else if (seen !== null) {
        if (options.onInvalid === undefined) throw seen.error
        options.onInvalid(seen.error)
        await mark?.refuses(judged)
      }
      await lookout.changed({ path: versions.headPath })
    }
  } catch (error) {
    if (!(error instanceof ClosedError)) throw error
  }
}

type Seen<T> =
  | { readonly version: number; readonly found: ConfigVersion<T> }
  | { readonly version: number; readonly error: UndecodableError; readonly found?: undefined }

/** Null when there is nothing newer than what was judged already. */
const look = async <T>(
  { versions }: Ground,
  documentOf: (entry: Entry) => ConfigVersion<T>,
  about: {
    readonly judged: number
    readonly node: Required<ConfigNode> | null
    readonly signal: AbortSignal
  },
): Promise<Seen<T> | null> => {
  const { judged, node, signal } = about
  let version = judged
  const newer = (head: Head): number => {
    version = Math.max(judged, targetOf(head, node))
    return version === judged ? 0 : version
  }
  try {
    const entry = await versions.picked(newer, { signal })
    return entry === null ? null : { version, found: documentOf(entry) }
  } catch (error) {
    if (error instanceof UndecodableError) return { version, error }
    throw error
  }
}
