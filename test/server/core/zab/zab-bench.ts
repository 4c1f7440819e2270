import { digestAlgorithm, limits, type ServerId } from '@conclave/protocol'
import type { PeerFrame, PeerFrameOf, Txn } from '@conclave/protocol/peer'
import type { Effect, Persist } from '#server/core/effect.js'
import type { LinkId, SnapshotTicket, Ticket } from '#server/core/input.js'
import { Zab } from '#server/core/zab/zab.js'
import * as kit from './zab-kit.js'

export const voters = [1, 2, 3]
export const firstJoin = 1

export interface BenchOptions {
  readonly txns?: readonly Txn[]
  readonly firstHeld?: number
  readonly currentEpoch?: number
  readonly acceptedEpoch?: number
  readonly acceptedFrom?: number
  readonly lastApplied?: number
  readonly voters?: readonly number[]
  readonly observers?: readonly number[]
  readonly bootstrap?: boolean
}

/** Server 1 of three, driven by frames that a test writes by hand for servers 2 and 3. */
export class Bench {
  readonly zab: Zab
  readonly log: MemoryLog
  readonly reader = new kit.HandReader()
  /** What the host was told since the last look. */
  readonly #said: string[] = []
  /** Learners that left, or joined anew. */
  readonly lost: ServerId[] = []
  readonly persists: Persist[] = []
  /** What was asked of the disk about snapshots, and to restart. */
  readonly #snapshots: SnapshotEffect[] = []
  readonly #sent: [to: number, frame: PeerFrame][] = []
  #nowMs = 0

  constructor({ txns = [], firstHeld = 1, lastApplied = 0, ...options }: BenchOptions = {}) {
    const { voters: ids = voters, observers = [], bootstrap = false, ...state } = options
    this.log = new kit.MemoryLog(txns, firstHeld)
    this.zab = new Zab(
      kit.configOf(1, ids, { observers: observers.map(kit.server), bootstrap }),
      {
        hardState: kit.hardStateOf(1, ids, state),
        epochs: kit.epochsOf(txns),
        lastApplied: kit.zxid(lastApplied),
      },
      this.log,
      this.reader,
      {
        apply: (txn) => this.#said.push(`apply ${txn.zxid}`),
        roundConfirmed: (round) => this.#said.push(`round ${round}`),
        roleChanged: (role, epoch, leader) => this.#said.push(`${role} ${epoch} ${leader}`),
        snapshotWanted: () => this.#said.push('snapshot wanted'),
        resync: () => this.#said.push('resync'),
        asked: (from, frame) => this.#said.push(`asked by ${from}: ${frame.asks.length}`),
        answered: (frame) => this.#said.push(`answered ${frame.answers.length}`),
        learnerLost: (learner) => this.lost.push(learner),
        trace: (trace) => {
          if (trace.trace === 'peerRefused') this.#said.push(`refused ${trace.from}: ${trace.why}`)
        },
      },
    )
    this.zab.tick(0)
    for (const peer of [2, 3]) this.open(peer)
    this.drain()
  }

  open(peer: number, link = peer * 10): void {
    const opened = { input: 'peerOpened', from: kit.server(peer), link: link as LinkId } as const
    this.zab.peerOpened(opened)
  }

  lose(peer: number, link = peer * 10): void {
    this.zab.peerLost({ input: 'peerLost', from: kit.server(peer), link: link as LinkId })
    this.drain()
  }

  /** A frame from a peer; drains afterwards. */
  from(peer: number, frame: PeerFrame, link = peer * 10): void {
    this.hear(peer, frame, link)
    this.drain()
  }

  hear(peer: number, frame: PeerFrame, link = peer * 10): void {
    const input = { input: 'peerFrame', from: kit.server(peer), link: link as LinkId } as const
    this.zab.peerFrame({ ...input, frame })
  }

  pass(durationMs: number): void {
    for (const endMs = this.#nowMs + durationMs; this.#nowMs < endMs;) {
      this.#nowMs += 50
      this.zab.tick(this.#nowMs)
      this.drain()
    }
  }

  /** The event loop stands still, then ticks. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs
    this.zab.tick(this.#nowMs)
    this.drain()
  }

  drain(): void {
    do this.drainOnce()
    while (this.zab.hasOutput)
  }

  /** One turn of the event loop. */
  drainOnce(): void {
    for (const effect of this.zab.drain()) {
      if (effect.effect === 'persist') this.persists.push(effect)
      if (isOfSnapshots(effect)) this.#snapshots.push(effect)
      if (effect.effect !== 'sendPeer') continue
      for (const frame of effect.frames) this.#sent.push([effect.to, frame])
    }
  }

  /** The disk catches up with all that was asked of it, or with so many writes of it. */
  persist(count = this.persists.length): void {
    const done = this.persists.splice(0, count).at(-1)
    if (done !== undefined) this.zab.persisted(done.ticket as Ticket)
    this.drain()
  }

  said(): readonly string[] {
    return this.#said.splice(0)
  }

  /** What was asked of the disk about snapshots since the last look. */
  snapshots(): readonly SnapshotEffect[] {
    return this.#snapshots.splice(0)
  }

  /** Answers a readSnapshot effect with as much as a piece may have. */
  givePiece(
    ticket: number,
    piece: Partial<Record<'zxid' | 'offset' | 'size', number>> | null,
  ): void {
    const { zxid = 0, offset = 0, size = 0 } = piece ?? {}
    const bytes = new Uint8Array(Math.min(size - offset, limits.snapshotPieceBytes))
    this.zab.snapshotPiece({
      input: 'snapshotPiece',
      ticket: ticket as SnapshotTicket,
      piece: piece === null ? null : { zxid: kit.zxid(zxid), offset, size, bytes },
    })
    this.drain()
  }

  stored(ticket: number, ok = true): void {
    this.zab.snapshotStored({ input: 'snapshotStored', ticket: ticket as SnapshotTicket, ok })
    this.drain()
  }

  /** What was sent to a peer since the last look, without notifications and heartbeats. */
  sent(peer: number): readonly PeerFrame[] {
    const frames = this.#sent.flatMap(([to, frame]) => (to === peer ? [frame] : []))
    const kept = this.#sent.filter(([to]) => to !== peer)
    this.#sent.splice(0, this.#sent.length, ...kept)
    return frames.filter(({ frame }) => frame !== 'notification' && frame !== 'heartbeat')
  }

  sentNames(peer: number): readonly string[] {
    return this.sent(peer).map(({ frame }) => frame)
  }

  lastNotification(peer: number): PeerFrame | undefined {
    return this.#sent.findLast(([to, { frame }]) => to === peer && frame === 'notification')?.[1]
  }

  lastRound(peer: number): number {
    const found = this.#sent.findLast(([to, { frame }]) => to === peer && frame === 'heartbeat')
    return found?.[1].frame === 'heartbeat' ? found[1].round : 0
  }
}

export const notification = (
  vote: number,
  has: Partial<Record<'currentEpoch' | 'lastZxid' | 'epoch', number>> = {},
  state: PeerFrameOf<'notification'>['state'] = 'looking',
): PeerFrame => ({
  frame: 'notification',
  epoch: kit.epoch(has.epoch ?? 0),
  state,
  vote: kit.server(vote),
  currentEpoch: kit.epoch(has.currentEpoch ?? 0),
  lastZxid: kit.zxid(has.lastZxid ?? 0),
  rejoining: false,
  bootstrap: false,
  hasSpace: true,
})

/** A follower's side of the handshake, with join number 1 unless told otherwise. */
export const followerInfo = (accepted: number, from = 0, join = firstJoin): PeerFrame => ({
  frame: 'followerInfo',
  epoch: kit.epoch(accepted),
  acceptedFrom: kit.server(from),
  join,
})

export const ackEpoch = (
  ofEpoch: number,
  has: { readonly currentEpoch: number; readonly last: readonly [epoch: number, zxid: number] },
  join = firstJoin,
): PeerFrame => ({
  frame: 'ackEpoch',
  epoch: kit.epoch(ofEpoch),
  join,
  currentEpoch: kit.epoch(has.currentEpoch),
  last: { epoch: kit.epoch(has.last[0]), zxid: kit.zxid(has.last[1]) },
  rejoining: false,
  bootstrap: false,
})

type ZxidFrame = 'diff' | 'newLeader' | 'ackNewLeader' | 'upToDate' | 'ack' | 'commit' | 'synced'

export const zxidFrame = (
  frame: ZxidFrame,
  ofEpoch: number,
  zxid: number,
  join = firstJoin,
): PeerFrame => ({ frame, epoch: kit.epoch(ofEpoch), join, zxid: kit.zxid(zxid) })

export const proposalFrame = (ofEpoch: number, txn: Txn, join = firstJoin): PeerFrame => ({
  frame: 'proposal',
  epoch: kit.epoch(ofEpoch),
  join,
  txn,
})

export const heartbeat = (ofEpoch: number, committed: number, round = 1): PeerFrame => ({
  frame: 'heartbeat',
  epoch: kit.epoch(ofEpoch),
  join: firstJoin,
  committed: kit.zxid(committed),
  round,
})

export const heartbeatAck = (
  ofEpoch: number,
  round: number,
  hasSpace = true,
  digest: readonly [zxid: number, digest: string] | null = null,
): PeerFrame => ({
  frame: 'heartbeatAck',
  epoch: kit.epoch(ofEpoch),
  join: firstJoin,
  round,
  hasSpace,
  digest:
    digest === null
      ? null
      : { zxid: kit.zxid(digest[0]), algorithm: digestAlgorithm, digest: digest[1] },
})

type SnapshotEffect = Extract<
  Effect,
  { readonly effect: 'readSnapshot' | 'storeSnapshot' | 'restart' }
>
const isOfSnapshots = (effect: Effect): effect is SnapshotEffect =>
  ['readSnapshot', 'storeSnapshot', 'restart'].includes(effect.effect)

type MemoryLog = kit.MemoryLog
