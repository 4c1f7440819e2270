import type { Acl, CreateKind } from '@conclave/protocol'
import type { As } from './codecs.js'
import type { WaitOptions } from './session/call.js'

export type { WaitOptions } from './session/call.js'

/** How fresh a read must be. */
export interface ReadOptions extends WaitOptions {
  /**
   * - `local` (the default): answered by the server this client is attached to; never older than
   *   anything this client has seen, but maybe older than what others have written.
   * - `linearizable`: sees every write that anybody was told of before the call. Costs a round
   *   through the quorum, shared with other such reads.
   */
  readonly consistency?: 'local' | 'linearizable' | undefined
}

/** `sequential` is short for `persistentSequential`. */
export type CreateKindName = CreateKind | 'sequential'

export interface ZnodeOptions {
  /** `persistent` by default. */
  readonly kind?: CreateKindName | undefined
  /** Only for, and required by, the ttl kinds: how long a childless znode lives, unchanged. */
  readonly ttlMs?: number | undefined
  /** Open to everybody by default. */
  readonly acl?: Acl | undefined
}

export interface CreateOptions extends ZnodeOptions, WaitOptions {}

export interface VersionOptions {
  /** The version the znode must have; any when left out. */
  readonly version?: number | undefined
}

export interface WriteOptions extends VersionOptions, WaitOptions {}

/** How the data is to be encoded or decoded. */
export interface AsOption<T> {
  readonly as: As<T>
}
/** The same where it may be left out: the data is then bytes. */
export interface AsBytes {
  readonly as?: undefined
}

export interface WatchOption<W extends boolean> {
  /** Asks to be told once, by `changed`, when the answer is no longer true. */
  readonly watch?: W | undefined
}
/** Either. */
export interface MaybeAs<T> {
  readonly as?: As<T> | undefined
}
