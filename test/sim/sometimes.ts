import type { Epoch, ServerFrame, ServerId, SessionId } from '@conclave/protocol'
import type { Trace } from '#server/core/effect.js'
import type { ConnectionId } from '#server/core/input.js'
import type { Operation } from './history.js'
import type { Invariant, Sight } from './invariants/index.js'
import type { Ledger } from './ledger.js'

/**
 * What must happen sometimes, or the worlds prove nothing about it: a run over many seeds counts
 * each, and may demand a number of them.
 */
export const occasions = [
  /** One record or more was cut from a log. */
  'truncated',
  'snapshotInstalled',
  'snapshotBrokenOff',
  /** An epoch was established and committed nothing of its own. */
  'emptyEpoch',
  'deposedWithOutstanding',
  /** A write was sent again and was found... */
  'resentInTable',
  'resentOutstanding',
  'resentInTombstone',
  /** A server with a new disk started while nobody led. */
  'wipedInElection',
  'touchAtDeposedLeader',
  'attachedToFollower',
  'sessionMoved',
  'linearizableReadOverLeaderChange',
] as const
export type Occasion = (typeof occasions)[number]

/** Watches one world for the occasions. It demands nothing. */
export class Sometimes implements Invariant {
  readonly counts = new Map<Occasion, number>()
  /** Who leads, in which epoch, as far as established. */
  readonly #leading = new Map<ServerId, Epoch>()
  readonly #established = new Set<Epoch>()
  readonly #wiped = new Set<ServerId>()
  /** Of each server, its pings without an answer by connection. */
  readonly #pings = new Map<ServerId, Map<ConnectionId, number>>()
  /** Of each leader, the last round that each learner waits for. */
  readonly #rounds = new Map<ServerId, Map<ServerId, number>>()
  readonly #installing = new Set<ServerId>()
  readonly #homes = new Map<SessionId, ServerId>()
  readonly #establishedMs: number[] = []
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  saw(occasion: Occasion): void {
    this.counts.set(occasion, (this.counts.get(occasion) ?? 0) + 1)
  }

  check(sight: Sight, ledger: Ledger): void {
    switch (sight.sight) {
      case 'persisting':
        return this.#persisting(sight, ledger)
      case 'established':
        this.#leading.set(sight.server, sight.epoch)
        this.#established.add(sight.epoch)
        this.#establishedMs.push(this.#nowMs())
        return
      case 'leftRole':
        this.#leading.delete(sight.server)
        this.#brokenOff(sight.server)
        return
      case 'restarting':
        if (this.#installing.delete(sight.server)) this.saw('snapshotInstalled')
        return
      case 'sent':
        return this.#sent(sight)
      case 'traced':
        return this.#traced(sight.server, sight.trace)
      case 'wiped':
        this.#wiped.add(sight.server)
        return
      case 'started':
        if (this.#wiped.delete(sight.server) && this.#leading.size === 0) {
          this.saw('wipedInElection')
        }
        return
      case 'clientFrame':
        if (sight.frame.frame !== 'ping') return
        entryOf(this.#pings, sight.server).set(sight.connection, sight.frame.id)
        return
      case 'clientLost':
        this.#pings.get(sight.server)?.delete(sight.connection)
        return
      case 'serverFrame':
        return this.#serverFrame(sight.server, sight.connection, sight.frame)
      default:
        return
    }
  }

  /** The world is over. */
  end(ledger: Ledger, operations: readonly Operation[]): void {
    const filled = new Set(ledger.committed.map(({ epoch }) => epoch))
    const last = Math.max(0, ...this.#established)
    for (const epoch of this.#established) {
      if (epoch < last && !filled.has(epoch)) this.saw('emptyEpoch')
    }
    for (const { isLinearizable, outcome, calledMs, settledMs } of operations) {
      const isOver = this.#establishedMs.some((ms) => ms > calledMs && ms < (settledMs ?? 0))
      if (isLinearizable && outcome === 'done' && isOver) {
        this.saw('linearizableReadOverLeaderChange')
      }
    }
  }

  #persisting({ server, effect }: Extract<Sight, { sight: 'persisting' }>, ledger: Ledger): void {
    const { truncateAfter } = effect
    if (truncateAfter !== null && ledger.log(server).lastZxid > truncateAfter) this.saw('truncated')
  }

  #traced(server: ServerId, trace: Trace): void {
    if (trace.trace === 'foundAgain') this.saw(placesFound[trace.where])
    if (trace.trace !== 'deposed') return
    if (trace.outstandingWrites > 0) this.saw('deposedWithOutstanding')
    const waiting = (this.#pings.get(server)?.size ?? 0) + (this.#rounds.get(server)?.size ?? 0)
    if (waiting > 0) this.saw('touchAtDeposedLeader')
    this.#rounds.delete(server)
  }

  #sent({ server, to, frame }: Extract<Sight, { sight: 'sent' }>): void {
    if (frame.frame === 'snapPull') this.#installing.add(server)
    if (frame.frame === 'followerInfo') this.#brokenOff(server)
    if (frame.frame === 'ask') {
      const asked = frame.asks.findLast((ask) => ask.ask === 'round')
      if (asked?.ask === 'round') entryOf(this.#rounds, to).set(server, asked.round)
    }
    if (frame.frame !== 'answer') return
    const waiting = this.#rounds.get(server)
    for (const answer of frame.answers) {
      if (answer.answer !== 'confirmed') continue
      if ((waiting?.get(to) ?? 0) <= answer.round) waiting?.delete(to)
    }
  }

  #brokenOff(server: ServerId): void {
    if (this.#installing.delete(server)) this.saw('snapshotBrokenOff')
  }

  #serverFrame(server: ServerId, connection: ConnectionId, frame: ServerFrame): void {
    if (frame.frame === 'pong') {
      const waiting = this.#pings.get(server)
      if ((waiting?.get(connection) ?? 0) <= frame.id) waiting?.delete(connection)
    }
    if (frame.frame !== 'connected') return
    if (frame.role === 'following') this.saw('attachedToFollower')
    const home = this.#homes.get(frame.sessionId)
    if (home !== undefined && home !== server) this.saw('sessionMoved')
    this.#homes.set(frame.sessionId, server)
  }
}

const placesFound = {
  table: 'resentInTable',
  outstanding: 'resentOutstanding',
  tombstone: 'resentInTombstone',
} as const

const entryOf = <K, L, V>(maps: Map<K, Map<L, V>>, key: K): Map<L, V> => {
  const known = maps.get(key)
  if (known !== undefined) return known
  const made = new Map<L, V>()
  maps.set(key, made)
  return made
}
