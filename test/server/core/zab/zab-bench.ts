import type { PeerFrame, PeerFrameOf, Txn } from '@conclave/protocol/peer'
import type { Persist } from '#server/core/effect.js'
import type { LinkId, Ticket } from '#server/core/input.js'
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
}

/** Server 1 of three, driven by frames that a test writes by hand for servers 2 and 3. */
export class Bench {
  readonly zab: Zab
  readonly log: MemoryLog
  /** What the host was told since the last look. */
  readonly #said: string[] = []
  readonly persists: Persist[] = []
  readonly #sent: [to: number, frame: PeerFrame][] = []
  #nowMs = 0

  constructor({ txns = [], firstHeld = 1, lastApplied = 0, ...state }: BenchOptions = {}) {
    this.log = new kit.MemoryLog(txns, firstHeld)
    this.zab = new Zab(
      kit.configOf(1, voters),
      {
        hardState: kit.hardStateOf(1, voters, state),
        epochs: kit.epochsOf(txns),
        lastApplied: kit.zxid(lastApplied),
      },
      this.log,
      {
        apply: (txn) => this.#said.push(`apply ${txn.zxid}`),
        roundConfirmed: (round) => this.#said.push(`round ${round}`),
        roleChanged: (role, epoch, leader) => this.#said.push(`${role} ${epoch} ${leader}`),
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
    const input = { input: 'peerFrame', from: kit.server(peer), link: link as LinkId } as const
    this.zab.peerFrame({ ...input, frame })
    this.drain()
  }

  pass(durationMs: number): void {
    for (const endMs = this.#nowMs + durationMs; this.#nowMs < endMs;) {
      this.#nowMs += 50
      this.zab.tick(this.#nowMs)
      this.drain()
    }
  }

  drain(): void {
    for (const effect of this.zab.drain()) {
      if (effect.effect === 'persist') this.persists.push(effect)
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
})

type ZxidFrame = 'diff' | 'newLeader' | 'ackNewLeader' | 'upToDate' | 'ack' | 'commit'

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

type MemoryLog = kit.MemoryLog
