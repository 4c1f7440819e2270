import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  limits,
  peerProtocolVersion,
  peerSubprotocol,
  type ServerId,
  Secret,
} from '@conclave/protocol'
import { messageCodec, pack } from '@conclave/protocol/codec'
import {
  type GreetingFrame,
  type GreetingFrameOf,
  greetingFrameSchema,
  type PeerFrame,
} from '@conclave/protocol/peer'
import type { LinkId } from '#server/core/input.js'
import { proofOf, serversHash } from '#server/runtime/net/peer-identity.js'
import { peerMessages } from '#server/runtime/net/peer-messages.js'
import { type PeerHost, PeerLinks, type PeerOptions } from '#server/runtime/net/peer-links.js'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { ownLoopback } from './own-loopback.js'
import { type CapturedLog, captureLog } from './server-kit.js'

export const greetings = messageCodec<GreetingFrame>(greetingFrameSchema)
export const goodSecret = 'a secret of many characters'
export const peerHost = ownLoopback()

/** What happened on the links of one server, which can be waited for. */
export class PeerRecorder implements PeerHost {
  ensembleId: string | null = null
  readonly opens: { readonly peer: ServerId; readonly link: LinkId }[] = []
  readonly losses: { readonly peer: ServerId; readonly link: LinkId }[] = []
  readonly frames: PeerFrame[] = []
  readonly #waiting = new Set<() => void>()

  opened(peer: ServerId, link: LinkId): void {
    this.opens.push({ peer, link })
    this.#changed()
  }

  frame(_peer: ServerId, _link: LinkId, frame: PeerFrame): void {
    this.frames.push(frame)
    this.#changed()
  }

  lost(peer: ServerId, link: LinkId): void {
    this.losses.push({ peer, link })
    this.#changed()
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  #changed(): void {
    for (const look of this.#waiting) look()
  }
}

export interface TestPeer {
  readonly links: PeerLinks
  readonly host: PeerRecorder
  readonly log: CapturedLog
  readonly port: number
}

export type PeerChanges = Partial<Omit<PeerOptions, 'log' | 'secret'>> & {
  readonly secret?: string
  readonly ensembleId?: string | null
  readonly port?: number
}

type ServerOfList = PeerOptions['servers'][number]

/** Entries of servers 1, 2, ... on the given ports; one without a port is never reached. */
export const listOf = (...ports: readonly number[]): readonly ServerOfList[] =>
  ports.map((peerPort, index) => ({ id: index + 1, role: 'voter', host: peerHost, peerPort }))

/** The links of one server, listening. */
export const startPeer = async (
  t: Test,
  serverId: number,
  { port = 0, ensembleId = null, secret = goodSecret, ...changes }: PeerChanges = {},
): Promise<TestPeer> => {
  const log = captureLog()
  const servers = changes.servers ?? listOf(1, 1, 1)
  const links = new PeerLinks({
    serverId: (changes.serverId ?? serverId) as ServerId,
    servers,
    secret: new Secret(secret),
    log: log.log,
  })
  t.teardown(() => links.stop())
  const host = new PeerRecorder()
  host.ensembleId = ensembleId
  const bound = await links.listen({ host: peerHost, port })
  links.attach(host)
  return { links, host, log, port: bound }
}

type Hello = GreetingFrameOf<'hello'>

/** A connection to a peer port that says what the test wants. */
export class RawPeer {
  readonly socket: WebSocket
  readonly said: GreetingFrame[] = []
  readonly frames: PeerFrame[] = []
  readonly closed: Promise<number>
  #isLinked = false
  readonly #waiting = new Set<() => void>()
  #isClosed = false

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('error', () => undefined)
    socket.on('message', (data) => {
      if (this.#isLinked) this.frames.push(...peerMessages.decode(data as Buffer))
      else this.said.push(...greetings.decode(data as Buffer))
      if (this.said.at(-1)?.frame === 'accepted') this.#isLinked = true
      this.#look()
    })
    this.closed = once(socket, 'close').then(([code]) => {
      this.#isClosed = true
      this.#look()
      return code as number
    })
  }

  static open(t: Test, port: number): RawPeer {
    const socket = new WebSocket(`ws://${peerHost}:${port}`, peerSubprotocol)
    t.teardown(() => socket.terminate())
    return new RawPeer(socket)
  }

  /** One whose hello was accepted. */
  static async linked(t: Test, port: number, changes: Partial<Hello> = {}): Promise<RawPeer> {
    const peer = RawPeer.open(t, port)
    await peer.greet(changes)
    await peer.next('accepted')
    return peer
  }

  /** Waits for the greeting and answers it; the proof fits unless it is given. */
  async greet(changes: Partial<Hello> = {}, secret = goodSecret): Promise<Hello> {
    const greeting = await this.next('greeting')
    const said = {
      frame: 'hello',
      version: peerProtocolVersion,
      from: 3 as ServerId,
      to: greeting.from,
      challenge: new Uint8Array(randomBytes(limits.peerChallengeBytes)),
      ensembleId: null,
      serversHash: serversHash(listOf(1, 1, 1)),
      ...changes,
    } as const
    const hello = { proof: proofOf('dialler', new Secret(secret), greeting, said), ...said }
    this.socket.send(greetings.encode([hello]))
    return hello
  }

  send(...frames: readonly PeerFrame[]): void {
    this.socket.send(peerMessages.encode(frames))
  }

  sendValue(value: unknown): void {
    this.socket.send(pack(value))
  }

  async next<N extends GreetingFrame['frame']>(name: N): Promise<GreetingFrameOf<N>> {
    let found: GreetingFrame | undefined
    await this.until(() => {
      found = this.said.find(({ frame }) => frame === name)
      return found !== undefined
    })
    if (found === undefined) throw new Error(`closed before ${name}: ${JSON.stringify(this.said)}`)
    return found as GreetingFrameOf<N>
  }

  /** Resolves when it holds, or when the connection is gone. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds() && !this.#isClosed) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  #look(): void {
    for (const look of this.#waiting) look()
  }
}
