import type { Guard } from '../transaction.js'
import { encodeRecord } from './znodes.js'

/**
 * What a member of a group can be. It is one of the group while it is joining, active or leaving;
 * `left` and `failed` are how it ends, and then it has no znode any more.
 */
export type MemberState = 'joining' | 'active' | 'leaving' | 'left' | 'failed'

/** One life of a member: who comes back under the same id is another generation. */
export interface Member<D> {
  readonly id: string
  readonly state: MemberState
  /** The czxid of its znode: higher for every later life of the same id. */
  readonly generation: number
  /** What it says of itself, not checked. */
  readonly data: D
  /** For transactions that hold only while this life of it lasts. */
  readonly guard: Guard
}

/** What the znode of a member holds. */
export interface MemberRecord {
  readonly state: MemberState
  readonly data: unknown
}

/** Nobody writes `failed`: that is a znode which went without having said `left`. */
const nextStates: Readonly<Record<MemberState, readonly MemberState[]>> = {
  joining: ['joining', 'active', 'leaving', 'failed'],
  active: ['active', 'leaving', 'failed'],
  leaving: ['leaving', 'left', 'failed'],
  left: [],
  failed: [],
}

/** Whether one state may follow another; who says something else of itself stays in its own. */
export const mayFollow = (from: MemberState, to: MemberState): boolean =>
  nextStates[from].includes(to)

/** @throws TooLargeError */
export const encodeMember = ({ state, data }: MemberRecord): Uint8Array =>
  encodeRecord({ state, data: data ?? null })

/** What somebody else wrote may be anything; null when it is no member's. */
export const decodeMember = (bytes: Uint8Array | null): MemberRecord | null => {
  try {
    const { state, data } = JSON.parse(new TextDecoder().decode(bytes ?? undefined)) as MemberRecord
    return Object.hasOwn(nextStates, state) ? { state, data } : null
  } catch {
    return null
  }
}
