import { createHash } from 'node:crypto'
import type { ClientFrame, ServerFrame, ServerId, SessionId, Zxid } from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import type { PeerFrame } from '@conclave/protocol/peer'
import type { Persist, SendClient, SendPeer, Trace } from '#server/core/effect.js'
import type { ConnectionId, LinkId, Ticket } from '#server/core/input.js'
import type { Recovered } from '#server/core/recovery.js'
import { peerMessages } from '#server/runtime/net/peer-messages.js'
import { DamageError } from '#server/runtime/storage/damage-error.js'
import { DataDirectoryError } from '#server/runtime/storage/data-directory-error.js'
import { type Invariant, invariants, type Sight } from './invariants/index.js'
import { Ledger } from './ledger.js'
import type { End, Link } from './link.js'
import { Network, type Place } from './network.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'
import { SimClock } from './sim-clock.js'
import { SimServer } from './sim-server.js'
import { Sometimes } from './sometimes.js'
import type { Surroundings } from './surroundings.js'
import type { Swarm } from './swarm.js'
import type { TraceHash } from './trace-hash.js'
import { Violation } from './violation.js'

export const serverPlace = (id: ServerId): Place => `server-${id}`

/** What a client holds of a connection to a server. */
export interface ClientEnd {
  frames(frames: readonly ServerFrame[]): void
  opened(): void
  lost(): void
}

/** All servers of one world, the links between them, and the observer of it all. */
export class Ensemble implements Surroundings {
  readonly servers: readonly SimServer[]
  readonly ledger: Ledger
  readonly network: Network
  readonly #schedule: Schedule
  readonly #swarm: Swarm
  readonly #hash: TraceHash
  readonly sometimes: Sometimes
  readonly #invariants: Invariant[]
  readonly #peerLinks = new Map<string, PeerLink>()
  readonly #clientLinks = new Map<string, Link>()
  readonly #applied = new Map<ServerId, Zxid>()
  /** A session has expired, for all who look. */
  onExpired: ((sessionId: SessionId) => void) | null = null
  #shownZxid = 0
  #lastLink = 0
  #lastConnection = 0
  /** Of servers that stopped themselves: a broken invariant inside, or damage. */
  readonly failures: { readonly server: ServerId; readonly error: Error }[] = []
  violation: Violation | null = null
  /** How often any server entered or left an established leadership. */
  roleChanges = 0
  /** How many servers ended as they were asked to. */
  handovers = 0
  /** A process has ended, as it must, for a fault of its disk. */
  onDiskFailure: (server: SimServer, error: Error) => void = () => undefined
  /** Set when promises may have moved. */
  hasPromised = false

  constructor(swarm: Swarm, schedule: Schedule, random: Random, hash: TraceHash) {
    this.#swarm = swarm
    this.#schedule = schedule
    this.#hash = hash
    this.sometimes = new Sometimes(() => schedule.nowMs)
    this.#invariants = [...invariants(() => schedule.nowMs), this.sometimes]
    this.network = new Network(schedule, random.split('network'), swarm.network)
    const count = swarm.servers + swarm.observers
    const ids = Array.from({ length: count }, (_, index) => (index + 1) as ServerId)
    const [voters, observers] = [ids.slice(0, swarm.servers), ids.slice(swarm.servers)]
    this.ledger = new Ledger(voters, observers)
    this.servers = ids.map((serverId) => {
      const dice = random.split(`server ${serverId}`)
      const clock = new SimClock(schedule, dice.split('clock'), swarm.clocks)
      const options = {
        serverId,
        voters,
        observers,
        historyBytesMax: swarm.historyBytesMax,
        ...swarm.log,
        diskMsMean: swarm.diskMsMean,
      }
      return new SimServer(options, clock, schedule, dice, this)
    })
  }

  get leader(): SimServer | undefined {
    return this.servers.find(({ replica }) => replica?.status.role === 'leading')
  }

  /** From now on this must hold, too. */
  watch(invariant: Invariant): void {
    this.#invariants.push(invariant)
  }

  /** Sees to it that those who can reach each other are connected. */
  connectPeers(): void {
    for (const [index, a] of this.servers.entries()) {
      for (const b of this.servers.slice(index + 1)) this.#connectPair(a, b)
    }
  }

  /** What a fault takes from a server, it takes from the observer's books, too. */
  lostDisk(server: SimServer): void {
    this.ledger.log(server.id).wiped()
    this.#see({ sight: 'wiped', server: server.id })
  }

  /** The process is gone: so are its connections. */
  lostProcess(server: SimServer): void {
    const place = serverPlace(server.id)
    this.#hash.add('down', server.id)
    this.#see({ sight: 'leftRole', server: server.id })
    this.network.reset((places) => places.includes(place))
  }

  /** @returns what the client sends by and closes with; null when nobody listens */
  connectClient(place: Place, id: ServerId, client: ClientEnd): ClientConnection | null {
    const server = this.servers.find((each) => each.id === id) as SimServer
    if (server.replica === null || this.network.isBlocked(place, serverPlace(id))) return null
    this.#lastConnection += 1
    this.#hash.add('connect', place, id)
    const connection = this.#lastConnection as ConnectionId
    const { starts } = server
    const isSame = (): boolean => server.starts === starts
    const toServer: End = {
      receive: (message) => {
        if (isSame()) this.#clientSent(server, connection, message as ClientMessage)
      },
      lost: () => {
        this.#clientLinks.delete(`${id}:${connection}`)
        this.#see({ sight: 'clientLost', server: id, connection })
        if (isSame()) server.input({ input: 'clientLost', connection })
      },
    }
    const toClient: End = {
      receive: (message) => client.frames(this.#decodedFromServer(message)),
      lost: () => client.lost(),
    }
    const link = this.network.connect([place, serverPlace(id)], [toClient, toServer])
    this.#clientLinks.set(`${id}:${connection}`, link)
    this.#schedule.after(this.network.delayMs(), () => {
      if (!link.isOpen) return
      server.input({ input: 'clientOpened', connection, address: '127.0.0.1' })
      client.opened()
    })
    const send = (frames: readonly ClientFrame[]): void =>
      link.send(0, this.#swarm.codec ? clientMessages.encode(frames) : frames)
    return { send, close: () => link.break() }
  }

  started(server: SimServer, recovered: Recovered): void {
    this.ledger.log(server.id).restarted(recovered, this.ledger.committed)
    this.#applied.set(server.id, recovered.state.lastApplied.zxid)
    this.#hash.add('started', server.id, recovered.state.lastApplied.zxid)
    this.#see({ sight: 'started', server: server.id, recovered })
  }

  persisting(server: SimServer, effect: Persist): void {
    this.#see({ sight: 'persisting', server: server.id, effect })
    this.ledger.log(server.id).persisting(effect)
  }

  persisted(server: SimServer, ticket: Ticket): void {
    const log = this.ledger.log(server.id)
    const before = log.hardState
    log.persisted(ticket)
    const { hardState } = log
    if (hardState === null || hardState === before) return
    this.#see({ sight: 'hardState', server: server.id, hardState })
  }

  moved(server: SimServer): void {
    const { appliedZxid } = server
    const before = this.#applied.get(server.id) ?? 0
    if (appliedZxid === null || appliedZxid === before) return
    this.#hash.add('applied', server.id, appliedZxid)
    for (let zxid = before + 1; zxid <= appliedZxid; zxid++) {
      this.#see({ sight: 'applied', server: server.id, zxid: zxid as Zxid })
      this.#tellExpiry(zxid)
    }
    this.#applied.set(server.id, appliedZxid)
    const digest = server.replica?.status.digest ?? ''
    this.#see({ sight: 'rested', server: server.id, zxid: appliedZxid, digest })
  }

  traced(server: SimServer, trace: Trace): void {
    this.#see({ sight: 'traced', server: server.id, trace })
    if (trace.trace !== 'roleChanged') return
    this.roleChanges += 1
    this.#hash.add(trace.role, server.id, trace.epoch)
    if (trace.role !== 'leading') return this.#see({ sight: 'leftRole', server: server.id })
    this.#see({ sight: 'established', server: server.id, epoch: trace.epoch })
  }

  sendPeer(server: SimServer, { to, link, frames }: SendPeer): void {
    for (const frame of frames) this.#see({ sight: 'sent', server: server.id, to, frame })
    const found = this.#peerLinks.get(pairOf(server.id, to))
    if (found === undefined || found.id !== link) return
    const message = this.#swarm.codec ? peerMessages.encode(frames) : frames
    found.link.send(server.id < to ? 0 : 1, message)
  }

  sendClient(server: SimServer, { connection, frames }: SendClient): void {
    for (const frame of frames) {
      this.#see({ sight: 'serverFrame', server: server.id, connection, frame })
    }
    const link = this.#clientLinks.get(`${server.id}:${connection}`)
    link?.send(1, this.#swarm.codec ? serverMessages.encode(frames) : frames)
  }

  closeClient(server: SimServer, connection: ConnectionId): void {
    const link = this.#clientLinks.get(`${server.id}:${connection}`)
    this.#hash.add('close', server.id, connection)
    // What was sent before is still delivered.
    this.#schedule.after(closeMs, () => link?.break())
  }

  pauseClient(): void {
    // Its frames are small and few: nothing is held back in the network of the simulator.
  }

  restarting(server: SimServer): void {
    this.#hash.add('restart', server.id)
    this.#see({ sight: 'restarting', server: server.id })
    this.lostProcess(server)
  }

  corrupted(server: SimServer): void {
    this.#see({ sight: 'corrupted', server: server.id })
  }

  stopped(server: SimServer): void {
    this.handovers += 1
    this.#hash.add('stopped', server.id)
    this.lostProcess(server)
    this.#schedule.after(standstillMs, () => server.start())
  }

  ended(server: SimServer, error: Error): void {
    if (error instanceof Violation) this.violation ??= error
    if (error instanceof Violation) return
    this.lostProcess(server)
    if (server.disk.isBad && isOfTheDisk(error)) this.onDiskFailure(server, error)
    else this.failures.push({ server: server.id, error })
  }

  promised(): void {
    this.hasPromised = true
  }

  #connectPair(a: SimServer, b: SimServer): void {
    const pair = pairOf(a.id, b.id)
    const places = [serverPlace(a.id), serverPlace(b.id)] as const
    const known = this.#peerLinks.get(pair)
    const isReachable =
      !this.network.isBlocked(places[0], places[1]) && !this.network.isBlocked(places[1], places[0])
    if (known?.link.isOpen === true || a.replica === null || b.replica === null) return
    if (!isReachable || a.isPaused || b.isPaused) return
    this.#lastLink += 1
    const id = this.#lastLink as LinkId
    const ends = [this.#peerEnd(a, b.id, id), this.#peerEnd(b, a.id, id)] as const
    this.#peerLinks.set(pair, { id, link: this.network.connect(places, ends) })
    a.peerOpened(b.id, id)
    b.peerOpened(a.id, id)
  }

  #peerEnd(server: SimServer, from: ServerId, link: LinkId): End {
    const { starts } = server
    return {
      receive: (message) => {
        if (server.starts !== starts) return
        const frames =
          message instanceof Uint8Array ? peerMessages.decode(message) : (message as PeerFrame[])
        for (const frame of frames) server.input({ input: 'peerFrame', from, link, frame })
      },
      lost: () => {
        if (server.starts === starts) server.input({ input: 'peerLost', from, link })
      },
    }
  }

  #clientSent(server: SimServer, connection: ConnectionId, message: ClientMessage): void {
    const frames = message instanceof Uint8Array ? clientMessages.decode(message) : message
    for (const sent of frames) {
      this.#see({ sight: 'clientFrame', server: server.id, connection, frame: sent })
      const frame = sent.frame === 'connect' ? { ...sent, nonce: hashOf(sent.nonce) } : sent
      server.input({ input: 'clientFrame', connection, frame, bytes: 100 })
    }
  }

  #decodedFromServer(message: unknown): readonly ServerFrame[] {
    return message instanceof Uint8Array
      ? serverMessages.decode(message)
      : (message as readonly ServerFrame[])
  }

  /** Once for each, when the first server shows it. */
  #tellExpiry(zxid: number): void {
    if (zxid <= this.#shownZxid) return
    this.#shownZxid = zxid
    const body = this.ledger.committed[zxid - 1]?.body
    if (body?.body === 'closeSession' && body.expired) this.onExpired?.(body.closedSession)
  }

  #see(sight: Sight): void {
    for (const invariant of this.#invariants) invariant.check(sight, this.ledger)
  }
}

export interface ClientConnection {
  send(frames: readonly ClientFrame[]): void
  close(): void
}

interface PeerLink {
  readonly id: LinkId
  readonly link: Link
}

type ClientMessage = Uint8Array | readonly ClientFrame[]

/** As the runtime of a server does with what a client sends. */
const hashOf = (nonce: Uint8Array): Uint8Array => createHash('sha256').update(nonce).digest()

const pairOf = (a: ServerId, b: ServerId): string => `${Math.min(a, b)}-${Math.max(a, b)}`

/** From the end of a server that was asked to end to its next start. */
const standstillMs = 1_000
const isOfTheDisk = (error: Error): boolean =>
  error instanceof DamageError || error instanceof DataDirectoryError || 'code' in error

/** What was sent to a client before a close has this long to arrive. */
const closeMs = 1_000
