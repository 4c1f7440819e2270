import type { Socket } from 'node:net'
import { limits, type ServerId } from '@conclave/protocol'
import type { PeerFrame } from '@conclave/protocol/peer'
import type { Logger } from 'pino'
import type { WebSocket } from 'ws'
import type { LinkId } from '../../core/input.js'
import { type PeerAddress, PeerDialler } from './peer-dialler.js'
import {
  type Admit,
  dialledSide,
  diallingSide,
  type HandshakeOutcome,
  PeerHandshake,
} from './peer-handshake.js'
import type { PeerIdentity } from './peer-identity.js'
import { PeerLink } from './peer-link.js'
import { PeerListener } from './peer-listener.js'
import { RefusalLog } from './refusal-log.js'

/** Whoever the links are for: one replica, as long as it lives. */
export interface PeerHost {
  /** Null while it knows of none. */
  readonly ensembleId: string | null
  opened(peer: ServerId, link: LinkId): void
  frame(peer: ServerId, link: LinkId, frame: PeerFrame): void
  lost(peer: ServerId, link: LinkId): void
}

export interface PeerOptions extends Omit<PeerIdentity, 'ensembleId' | 'servers'> {
  readonly servers: readonly PeerServer[]
  readonly log: Logger
}

interface PeerServer extends PeerAddress {
  readonly id: number
  readonly role: string
}

/**
 * The links to all other servers of an ensemble, at most one each: of two servers the one with the
 * higher id dials.
 */
export class PeerLinks {
  readonly #options: PeerOptions
  readonly #log: Logger
  readonly #refusals: RefusalLog
  readonly #listener: PeerListener
  readonly #links = new Map<ServerId, OpenLink>()
  readonly #diallers = new Map<ServerId, PeerDialler>()
  /** The last thing said of each server that could not be linked to. */
  readonly #said = new Map<ServerId, string>()
  #handshakes = 0
  #lastLink = 0
  #host: PeerHost | null = null

  constructor(options: PeerOptions) {
    this.#options = options
    this.#log = options.log
    this.#refusals = new RefusalLog(options.log)
    this.#listener = new PeerListener(
      options.servers.length + limits.peerHandshakesMax,
      (socket, stream) => this.#dialled(socket, stream),
    )
  }

  /** @throws Error of the system (EADDRINUSE, EACCES, ...) */
  listen(address: { readonly host: string; readonly port: number }): Promise<number> {
    return this.#listener.listen(address)
  }

  /** How many links are open. */
  get size(): number {
    return this.#links.size
  }

  /** From now on links are opened, for this one. */
  attach(host: PeerHost): void {
    this.#host = host
    for (const server of this.#options.servers) {
      const id = server.id as ServerId
      if (id < this.#options.serverId) this.#diallers.set(id, this.#dialler(id, server))
    }
  }

  /** All links are closed, and none is opened until there is somebody to open it for. */
  detach(): void {
    this.#host = null
    for (const dialler of this.#diallers.values()) dialler.stop()
    this.#diallers.clear()
    for (const { link } of this.#links.values()) link.close('this server ends')
  }

  stop(): void {
    this.detach()
    this.#listener.close()
  }

  /** On a link that is no longer open nothing is sent. */
  send(to: ServerId, link: LinkId, frames: readonly PeerFrame[]): void {
    const open = this.#links.get(to)
    if (open?.id === link) open.link.send(frames)
  }

  #identity(host: PeerHost): PeerIdentity {
    const { serverId, servers, secret } = this.#options
    return { serverId, servers, secret, ensembleId: host.ensembleId }
  }

  #dialler(id: ServerId, address: PeerAddress): PeerDialler {
    const connected = (socket: WebSocket, stream: Socket): void => {
      const host = this.#host
      if (host === null) return socket.terminate()
      const side = diallingSide(this.#identity(host), id)
      new PeerHandshake(socket, stream, side, (outcome) => {
        this.#greeted(outcome, host, { socket, stream })
      })
    }
    return new PeerDialler(address, connected, (why) => this.#tell(id, why, 'info'))
  }

  #dialled(socket: WebSocket, stream: Socket): void {
    const host = this.#host
    if (host === null || this.#handshakes >= limits.peerHandshakesMax) return socket.terminate()
    this.#handshakes += 1
    const admit: Admit = (peer, decided) => this.#admit(host, peer, decided)
    const side = dialledSide(this.#identity(host), admit)
    new PeerHandshake(socket, stream, side, (outcome) => {
      this.#handshakes -= 1
      this.#greeted(outcome, host, { socket, stream })
    })
  }

  /** A live server keeps its link against a second one of the same id. */
  #admit(host: PeerHost, peer: ServerId, decided: Parameters<Admit>[1]): void {
    if (host !== this.#host) return decided('restarting')
    const before = this.#links.get(peer)
    if (before === undefined) return decided(null)
    before.link.probe((isAlive) => {
      if (isAlive) return decided('duplicateId')
      before.link.close('it does not answer, and another connection of the same server has come')
      this.#admit(host, peer, decided)
    })
  }

  #greeted(outcome: HandshakeOutcome, host: PeerHost, { socket, stream }: Connection): void {
    if (outcome.peer === null) return this.#refused(outcome, stream)
    const { peer } = outcome
    if (host !== this.#host) return socket.terminate()
    this.#lastLink += 1
    const id = this.#lastLink as LinkId
    const link = new PeerLink(socket, stream, {
      frame: (frame) => host.frame(peer, id, frame),
      lost: (why) => {
        this.#links.delete(peer)
        const level = this.#host === null ? 'info' : 'warn'
        this.#log[level]({ peer, why }, 'the link to a server is lost')
        host.lost(peer, id)
      },
    })
    this.#links.set(peer, { id, link })
    this.#diallers.get(peer)?.succeeded()
    this.#said.delete(peer)
    this.#log.info({ peer }, 'linked to a server')
    host.opened(peer, id)
  }

  #refused({ from, why }: HandshakeOutcome & { peer: null }, stream: Socket): void {
    const { remoteAddress: address } = stream
    if (from !== null && this.#options.servers.some(({ id }) => id === from)) {
      return this.#tell(from, why, 'warn')
    }
    this.#refusals.warn({ peer: from, address, why }, 'no link to a server')
  }

  /** A server that keeps trying is spoken of when something is new. */
  #tell(peer: ServerId, why: string, level: 'info' | 'warn'): void {
    if (this.#said.get(peer) === why) return
    this.#said.set(peer, why)
    // Strangers may say that they are this peer, as often as they like.
    if (level === 'warn') this.#refusals.warn({ peer, why }, 'no link to a server')
    else this.#log.info({ peer, why }, 'no link to a server')
  }
}

interface OpenLink {
  readonly id: LinkId
  readonly link: PeerLink
}

interface Connection {
  readonly socket: WebSocket
  readonly stream: Socket
}
