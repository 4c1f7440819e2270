import type { ServerId, Zxid } from '@conclave/protocol'
import { type PeerFrame, peerFrameSchema, type Txn, txnSchema } from '@conclave/protocol/peer'
import type { Persist } from '#server/core/effect.js'
import type { LinkId } from '#server/core/input.js'
import { type LogReader, Zab } from '#server/core/zab/zab.js'
import { configOf, epochsOf, hardStateOf, MemoryLog, proposal, server, zxid } from './zab-kit.js'
import { check, type Observed, Observer } from './zab-observer.js'

/** Small and fast: times in milliseconds, one step is 10 of them. */
const stepMs = 10

interface Member extends Observed {
  zab: Zab | null
  readonly writes: { readonly persist: Persist; readonly doneMs: number }[]
  readonly reads: { readonly after: Zxid; readonly take: Take; readonly doneMs: number }[]
  pausedUntilMs: number
}

type Take = Parameters<LogReader['read']>[1]

interface Link {
  readonly link: LinkId
  readonly ends: readonly [Member, Member]
  /** Each direction is in order; a cut link delivers a little more at one end than at the other. */
  readonly queues: readonly [Message[], Message[]]
  stalledUntilMs: number
}

interface Message {
  readonly frames: readonly PeerFrame[]
  readonly atMs: number
}

/** Several servers over a network and disks that fail, and an observer who sees everything. */
export class ZabModel {
  readonly #random: () => number
  readonly members: readonly Member[]
  readonly #links: Link[] = []
  readonly observer: Observer
  #lastLink = 0
  #marks = 0
  #nowMs = 0
  calm = false

  constructor(seed: number, size: number) {
    this.#random = mulberry(seed)
    const ids = Array.from({ length: size }, (_, index) => index + 1)
    this.members = ids.map((id) => ({
      id: server(id),
      disk: { hardState: hardStateOf(id, ids), txns: [], commit: 0 },
      zab: null,
      writes: [],
      reads: [],
      pausedUntilMs: 0,
      applied: 0,
      roundStarts: new Map(),
    }))
    this.observer = new Observer(this.members)
  }

  run(durationMs: number): void {
    const endMs = this.#nowMs + durationMs
    while (this.#nowMs < endMs) {
      this.#nowMs += stepMs
      if (!this.calm) this.#fault()
      this.#connect()
      for (const link of this.#links.slice()) this.#deliver(link)
      for (const member of this.members) this.#work(member)
    }
  }

  /** Every link and server is up again, and stays so. */
  heal(): void {
    this.calm = true
    for (const member of this.members) member.pausedUntilMs = 0
    for (const link of this.#links) link.stalledUntilMs = Math.min(link.stalledUntilMs, this.#nowMs)
    for (const member of this.members) if (member.zab === null) this.#start(member)
  }

  #fault(): void {
    const member = this.#pick(this.members)
    const link = this.#links.length > 0 ? this.#pick(this.#links) : null
    const leading = this.members.filter(({ zab }) => zab?.role === 'leading')
    const crashes = this.#chance(0.01) && leading.length > 0 ? this.#pick(leading) : member
    if (this.#chance(0.006) || crashes !== member) this.#crash(crashes)
    if (this.#chance(0.05) && member.zab === null) this.#start(member)
    if (this.#chance(0.01) && link !== null) this.#cut(link)
    if (this.#chance(0.01) && link !== null) {
      link.stalledUntilMs = this.#nowMs + this.#random() * 2_000
    }
    if (this.#chance(0.003)) member.pausedUntilMs = this.#nowMs + this.#random() * 2_000
    if (this.#chance(0.006)) this.#wipe(member)
  }

  /** A disk is lost: at most one at a time, or there is nothing that could be promised. */
  #wipe(member: Member): void {
    const others = this.members.filter((other) => other !== member)
    const isAlone = others.every(({ disk }) => disk.hardState.currentEpoch > 0)
    if (!isAlone) return
    this.#crash(member)
    const fresh = hardStateOf(member.id, member.disk.hardState.voters)
    const rejoining = this.#chance(0.5)
    member.disk = { hardState: { ...fresh, rejoining }, txns: [], commit: 0 }
    this.observer.coverage.wiped += 1
  }

  #start(member: Member): void {
    const { disk, id } = member
    const log = new ForgetfulLog(disk.txns, () => member.applied)
    member.applied = 0
    for (const txn of disk.txns.slice(0, disk.commit)) this.observer.applied(member, txn)
    member.roundStarts.clear()
    const recovery = {
      hardState: disk.hardState,
      epochs: epochsOf(disk.txns),
      lastApplied: disk.commit as Zxid,
    }
    const config = configOf(id, disk.hardState.voters)
    member.reads.length = 0
    const reader = this.#reader(member)
    const zab: Zab = new Zab(config, recovery, log, reader, {
      apply: (txn) => this.observer.applied(member, txn),
      roleChanged: (role, epoch) => {
        if (role === 'leading') this.observer.established(epoch, log.txns)
      },
      roundConfirmed: (round) => this.observer.confirmed(member, zab.epoch, round),
      snapshotWanted: () => undefined,
      resync: () => undefined,
      asked: () => undefined,
      answered: () => undefined,
      learnerLost: () => undefined,
      trace: () => undefined,
    })
    member.zab = zab
  }

  #reader({ reads }: Member): LogReader {
    return {
      read: (after, take) => {
        const read = { after, take, doneMs: this.#nowMs + this.#delay() }
        reads.push(read)
        return { cancel: () => void reads.splice(reads.indexOf(read), 1) }
      },
    }
  }

  /** What was being written is lost, from a random point of the first write on. */
  #crash(member: Member): void {
    const torn = member.writes[0]?.persist
    if (torn !== undefined) this.#write(member, torn, this.#random())
    member.writes.length = 0
    member.zab = null
    for (const link of this.#links.slice()) if (link.ends.includes(member)) this.#cut(link)
  }

  #write({ disk }: Member, persist: Persist, upTo: number): void {
    const { truncateAfter, txns, hardState, commit } = persist
    if (truncateAfter !== null) {
      for (const txn of disk.txns.slice(truncateAfter)) {
        check(this.observer.committed[txn.zxid - 1]?.epoch !== txn.epoch, 'a committed txn is cut')
      }
      this.observer.coverage.truncated += disk.txns.length > truncateAfter ? 1 : 0
      disk.txns.length = truncateAfter
    }
    for (const txn of txns.slice(0, Math.ceil(upTo * txns.length))) {
      check(txn.zxid === disk.txns.length + 1, 'a hole in the log')
      disk.txns.push(txn)
    }
    disk.commit = Math.max(disk.commit, Math.min(commit, disk.txns.length))
    if (hardState === null || upTo < 1) return
    check(hardState.acceptedEpoch >= disk.hardState.acceptedEpoch, 'acceptedEpoch falls')
    check(hardState.currentEpoch >= disk.hardState.currentEpoch, 'currentEpoch falls')
    disk.hardState = hardState
  }

  #connect(): void {
    const up = this.members.filter((member) => member.zab !== null)
    for (const a of up) {
      for (const b of up) {
        if (a.id >= b.id || this.#links.some(({ ends }) => ends[0] === a && ends[1] === b)) continue
        if (!this.calm && !this.#chance(0.03)) continue
        this.#lastLink += 1
        const link = this.#lastLink as LinkId
        this.#links.push({ link, ends: [a, b], queues: [[], []], stalledUntilMs: 0 })
        a.zab?.peerOpened({ input: 'peerOpened', from: b.id, link })
        b.zab?.peerOpened({ input: 'peerOpened', from: a.id, link })
      }
    }
  }

  #cut(link: Link): void {
    this.#links.splice(this.#links.indexOf(link), 1)
    link.ends.forEach((member, end) => {
      const other = link.ends[1 - end] as Member
      for (const message of link.queues[end as 0 | 1]) {
        if (this.#chance(0.5)) break
        this.#receive(link, member, other.id, message)
      }
      member.zab?.peerLost({ input: 'peerLost', from: other.id, link: link.link })
    })
  }

  #deliver(link: Link): void {
    if (this.#nowMs < link.stalledUntilMs) return
    link.ends.forEach((member, end) => {
      if (this.#nowMs < member.pausedUntilMs) return
      const queue = link.queues[end as 0 | 1]
      while ((queue[0]?.atMs ?? Infinity) <= this.#nowMs) {
        this.#receive(link, member, (link.ends[1 - end] as Member).id, queue.shift() as Message)
      }
    })
  }

  #receive(link: Link, member: Member, from: ServerId, message: Message): void {
    for (const sent of message.frames) {
      const frame = peerFrames.decode(peerFrames.encode(sent), 'frame')
      member.zab?.peerFrame({ input: 'peerFrame', from, link: link.link, frame })
    }
  }

  #work(member: Member): void {
    const { zab, writes } = member
    if (zab === null || this.#nowMs < member.pausedUntilMs) return
    while ((writes[0]?.doneMs ?? Infinity) <= this.#nowMs) {
      const { persist } = writes.shift() as Member['writes'][number]
      this.#write(member, persist, 1)
      if (this.#chance(0.8) || writes.length === 0) zab.persisted(persist.ticket)
    }
    while ((member.reads[0]?.doneMs ?? Infinity) <= this.#nowMs) {
      const { after, take } = member.reads.shift() as Member['reads'][number]
      this.observer.coverage.reads += 1
      take(member.disk.txns.slice(after, after + pieceTxns))
    }
    if (this.#nowMs % 50 === 0) zab.tick(this.#nowMs)
    if (zab.role === 'leading' && this.#chance(0.3)) {
      this.#marks += 1
      zab.propose(proposal(this.#marks))
      member.roundStarts.set(zab.startRound(), this.observer.highestEpoch)
    }
    for (const effect of zab.drain()) {
      if (effect.effect === 'persist') {
        writes.push({ persist: effect, doneMs: this.#nowMs + this.#delay() })
      } else if (effect.effect === 'sendPeer') {
        const link = this.#links.find((open) => open.link === effect.link)
        const end = link?.ends.findIndex(({ id }) => id === effect.to) as 0 | 1
        link?.queues[end].push({ frames: effect.frames, atMs: this.#nowMs + this.#delay() })
      }
    }
  }

  #delay(): number {
    if (this.calm) return this.#random() * 10
    return this.#random() * (this.#chance(0.05) ? 800 : 40)
  }

  #chance(probability: number): boolean {
    return this.#random() < probability
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T
  }
}

/** Memory keeps only the last few of what is applied and on the disk. */
class ForgetfulLog extends MemoryLog {
  readonly #applied: () => number

  constructor(txns: readonly Txn[], applied: () => number) {
    super(txns)
    this.#applied = applied
  }

  override get(at: Zxid): Txn | undefined {
    return at < this.firstZxid ? undefined : this.txns[at - 1]
  }

  override get firstZxid(): Zxid {
    return zxid(Math.min(this.txns.length, Math.max(1, this.#applied() - heldTxns)))
  }
}

const peerFrames = peerFrameSchema(txnSchema)
const heldTxns = 5
const pieceTxns = 3

const mulberry = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
}
