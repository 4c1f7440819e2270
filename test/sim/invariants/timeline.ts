import type { Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/** A committed change of a znode. */
export interface Committed {
  readonly type: 'created' | 'dataChanged' | 'deleted'
  readonly path: string
  readonly zxid: number
}

/** Paths that are there, and the zxids of their last writes. */
export type Present = ReadonlyMap<string, number>

/** A znode from one change of it to the next. */
interface Span {
  readonly from: number
  /** The zxid of its last write; null while it is not there. */
  readonly mzxid: number | null
}

/**
 * What there was below a path after each committed change, in order: whoever follows it may be
 * late, but shows one of these states, and never one from before another that was shown. A place in
 * it is the number of changes that came before.
 */
export class Timeline implements Invariant {
  readonly changes: Committed[] = []
  readonly #root: string
  readonly #wordsOf: (present: Present) => string
  readonly #states: string[]
  readonly #spans = new Map<string, Span[]>()
  readonly #present = new Map<string, number>()
  #checked = 0

  /** @param wordsOf what is compared of a state */
  constructor(root: string, wordsOf: (present: Present) => string) {
    this.#root = root
    this.#wordsOf = wordsOf
    this.#states = [wordsOf(this.#present)]
  }

  check(sight: Sight, { committed }: Ledger): void {
    if (sight.sight !== 'applied') return
    for (; this.#checked < committed.length; this.#checked++) {
      this.#committed(committed[this.#checked] as Txn)
    }
  }

  /** The place right after all changes up to this zxid. */
  after(zxid: number): number {
    return this.changes.findLastIndex((change) => change.zxid <= zxid) + 1
  }

  /** Whether that is what there was at the place. */
  isAt(place: number, state: string): boolean {
    return this.#states[place] === state
  }

  /** @returns the first place from `floor` on at which there was that. @throws Violation */
  find(who: string, state: string, floor: number): number {
    const found = this.#states.indexOf(state, floor)
    if (found >= 0) return found
    const instead = this.#states.slice(floor).join(' | ')
    throw new Violation('G6', `${who} shows ${state} of ${this.#root}, where was ${instead}`)
  }

  /**
   * As {@link find}, of one znode.
   *
   * @param mzxid of its last write; null for one that is not there
   */
  findOne(
    who: string,
    { path, mzxid }: { readonly path: string; readonly mzxid: number | null },
    floor: number,
  ): number {
    const spans = this.#spans.get(path) ?? []
    const all = [{ from: 0, mzxid: null }, ...spans]
    for (const [i, span] of all.entries()) {
      const end = all[i + 1]?.from ?? Infinity
      if (span.mzxid === mzxid && end > floor) return Math.max(span.from, floor)
    }
    const said = all.map((span) => `${span.mzxid} from ${span.from}`).join(', ')
    throw new Violation('G6', `${who} shows ${path} of ${mzxid}, from ${floor} on it was ${said}`)
  }

  #committed({ zxid, body }: Txn): void {
    if (body.body !== 'write' && body.body !== 'closeSession') return
    for (const change of body.changes) {
      if (change.change === 'check' || change.change === 'setAcl') continue
      const { path } = change
      if (path !== this.#root && !path.startsWith(`${this.#root}/`)) continue
      const type = typesOf[change.change]
      this.changes.push({ type, path, zxid })
      if (type === 'deleted') this.#present.delete(path)
      else this.#present.set(path, zxid)
      this.#states.push(this.#wordsOf(this.#present))
      const span = { from: this.changes.length, mzxid: type === 'deleted' ? null : zxid }
      this.#spans.set(path, [...(this.#spans.get(path) ?? []), span])
    }
  }
}

const typesOf = { create: 'created', setData: 'dataChanged', delete: 'deleted' } as const
