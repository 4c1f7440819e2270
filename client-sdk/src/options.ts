import { type Acl, type CreateKind, createKinds, limits } from '@conclave/protocol'
import {
  anyOf,
  anything,
  type Check,
  type Checks,
  duration,
  isBoolean,
  isSignal,
  wholeNumber,
} from './checked.js'
import type { As } from './codecs.js'
import type { WaitOptions } from './session/wait.js'

export type { WaitOptions } from './session/wait.js'

export const waitChecks: Checks<WaitOptions> = { signal: isSignal, timeoutMs: duration }

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

export const readChecks: Checks<ReadOptions> = {
  ...waitChecks,
  consistency: anyOf('local', 'linearizable'),
}

export const isLinearizable = ({ consistency }: ReadOptions): boolean =>
  consistency === 'linearizable'

/** `sequential` is short for `persistentSequential`. */
export type CreateKindName = CreateKind | 'sequential'

export interface ZnodeOptions {
  /** `persistent` by default. */
  readonly kind?: CreateKindName | undefined
  /**
   * Only for, and required by, the ttl kinds: how long, in ms from 1 to ten years, a childless
   * znode lives unchanged; it goes within a second or so after that.
   */
  readonly ttlMs?: number | undefined
  /** Open to everybody by default. */
  readonly acl?: Acl | undefined
}

export interface CreateOptions extends ZnodeOptions, WaitOptions {}

export const isAcl: Check = {
  fits: Array.isArray,
  says: 'a list of { scheme, id, permissions }',
}

export const znodeChecks: Checks<ZnodeOptions> = {
  kind: anyOf(...createKinds, 'sequential'),
  ttlMs: wholeNumber(1, limits.ttlMsMax, 'a whole number of ms'),
  acl: isAcl,
}

export interface VersionOptions {
  /** The version the znode must have, as in `stat.version`; any when left out, or -1. */
  readonly version?: number | undefined
}

export interface WriteOptions extends VersionOptions, WaitOptions {}

export const versionChecks: Checks<VersionOptions> = {
  version: wholeNumber(-1, Number.MAX_SAFE_INTEGER, 'a whole number, or -1 for any,'),
}

export const writeChecks: Checks<WriteOptions> = { ...versionChecks, ...waitChecks }

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
export const watchChecks: Checks<WatchOption<boolean>> = { watch: isBoolean }

/** Either. */
export interface MaybeAs<T> {
  readonly as?: As<T> | undefined
}

/** What `as` may be is judged by the codecs. */
export const asChecks: Checks<MaybeAs<unknown>> = { as: anything }
