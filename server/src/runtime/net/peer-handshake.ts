import { randomBytes } from 'node:crypto'
import { limits, type ServerId, ShapeError } from '@conclave/protocol'
import { type MessageCodec, messageCodec } from '@conclave/protocol/codec'
import {
  type GreetingFrame,
  type GreetingFrameOf,
  greetingFrameSchema,
  type PeerRefusal,
} from '@conclave/protocol/peer'
import type { WebSocket } from 'ws'
import type { ByteStream } from './client-socket.js'
import {
  introduce,
  isSameProof,
  judgeHello,
  type PeerIdentity,
  proofOf,
  refusalSentences,
} from './peer-identity.js'

/** How the first words on a new connection have ended. */
export type HandshakeOutcome =
  | { readonly peer: ServerId }
  /** `from` is what the other side said to be, proved or not; null when it said nothing. */
  | { readonly peer: null; readonly from: ServerId | null; readonly why: string }

/** Says whether a peer that proved who it is may have its link now; answers once. */
export type Admit = (peer: ServerId, decided: (refusal: PeerRefusal | null) => void) => void

const greetings: MessageCodec<GreetingFrame> = messageCodec(greetingFrameSchema)

/** What one side does with what it hears. */
interface Side {
  begin(): void
  hear(frame: GreetingFrame): void
}

/**
 * Mutual proof that both sides know the ensemble's secret: greeting, hello with the dialler's
 * proof, accepted with the proof of the one that was dialled. Whoever only connects is given no
 * proof to try secrets on.
 */
export class PeerHandshake {
  readonly #socket: WebSocket
  readonly #ended: (outcome: HandshakeOutcome) => void
  readonly #onMessage = (data: unknown, isBinary: boolean): void => this.#hear(data, isBinary)
  readonly #onClose = (code: number): void => this.#end(`the connection was closed (${code})`)
  readonly #timer: NodeJS.Timeout
  readonly #side: Side
  #from: ServerId | null = null
  #isOver = false

  /** @param ended called once; after that nothing of the socket is looked at any more */
  constructor(
    socket: WebSocket,
    stream: ByteStream,
    sideOf: (handshake: PeerHandshake) => Side,
    ended: (outcome: HandshakeOutcome) => void,
  ) {
    this.#socket = socket
    this.#ended = ended
    this.#timer = setTimeout(
      () => this.#end('the other side did not finish its greeting in time'),
      limits.peerHandshakeMs,
    )
    socket.on('message', this.#onMessage)
    socket.on('close', this.#onClose)
    socket.on('error', () => undefined)
    stream.on('data', () => this.#bound(stream))
    this.#side = sideOf(this)
    this.#side.begin()
  }

  say(frame: GreetingFrame): void {
    if (!this.#isOver) this.#socket.send(greetings.encode([frame]))
  }

  /** Tells the other side why, and ends. */
  refuse(reason: PeerRefusal): void {
    this.say({ frame: 'refused', reason })
    this.#end(refusalSentences[reason])
  }

  /** The other side has refused. */
  refused(reason: PeerRefusal): void {
    this.#end(`the other server refuses: ${refusalSentences[reason]}`)
  }

  named(from: ServerId): void {
    this.#from = from
  }

  succeed(peer: ServerId): void {
    this.#finish({ peer })
  }

  #bound({ bytesRead }: ByteStream): void {
    // The HTTP part is bounded by itself and counted too.
    if (bytesRead > limits.peerHandshakeBytesMax + headerBytesMax && !this.#isOver) {
      this.#end('it said too much before it proved who it is')
    }
  }

  #hear(data: unknown, isBinary: boolean): void {
    if (this.#isOver) return
    try {
      if (!isBinary) throw new ShapeError('a text message')
      for (const frame of greetings.decode(data as Buffer)) {
        if (!this.#isOver) this.#side.hear(frame)
      }
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      this.refuse('malformed')
    }
  }

  #end(why: string): void {
    if (this.#isOver) return
    this.#finish({ peer: null, from: this.#from, why })
    this.#socket.close(closedByHandshake, 'refused')
    setTimeout(() => this.#socket.terminate(), closeGraceMs).unref()
  }

  #finish(outcome: HandshakeOutcome): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#socket.off('message', this.#onMessage)
    this.#socket.off('close', this.#onClose)
    this.#ended(outcome)
  }
}

/** The side that was dialled. */
export const dialledSide =
  (identity: PeerIdentity, admit: Admit) =>
  (handshake: PeerHandshake): Side => {
    const greeting = introduce(identity, new Uint8Array(randomBytes(limits.peerChallengeBytes)))
    let isAnswered = false
    const onHello = (hello: GreetingFrameOf<'hello'>): void => {
      isAnswered = true
      handshake.named(hello.from)
      const refusal = judgeHello(identity, greeting, hello)
      if (refusal !== null) return handshake.refuse(refusal)
      admit(hello.from, (reason) => {
        if (reason !== null) return handshake.refuse(reason)
        const proof = proofOf('dialled', identity.secret, greeting, hello)
        handshake.say({ frame: 'accepted', proof })
        handshake.succeed(hello.from)
      })
    }
    return {
      begin: () => handshake.say({ frame: 'greeting', ...greeting }),
      hear(frame) {
        if (frame.frame === 'hello' && !isAnswered) onHello(frame)
        else if (frame.frame === 'refused') handshake.refused(frame.reason)
        else handshake.refuse('malformed')
      },
    }
  }

/** The side that dials. */
export const diallingSide =
  (identity: PeerIdentity, to: ServerId) =>
  (handshake: PeerHandshake): Side => {
    const own = introduce(identity, new Uint8Array(randomBytes(limits.peerChallengeBytes)))
    let expected: Uint8Array | null = null
    const onGreeting = (greeting: GreetingFrameOf<'greeting'>): void => {
      const hello = { ...own, to }
      const proof = proofOf('dialler', identity.secret, greeting, hello)
      expected = proofOf('dialled', identity.secret, greeting, hello)
      handshake.say({ frame: 'hello', ...hello, proof })
    }
    return {
      begin: () => handshake.named(to),
      hear(frame) {
        if (frame.frame === 'greeting' && expected === null) return onGreeting(frame)
        if (frame.frame === 'refused') return handshake.refused(frame.reason)
        if (frame.frame !== 'accepted' || expected === null) return handshake.refuse('malformed')
        if (!isSameProof(frame.proof, expected)) return handshake.refuse('wrongSecret')
        handshake.succeed(to)
      },
    }
  }

/** A close code of the peer protocol's own: all that matters is in the frame before it. */
const closedByHandshake = 4_400
const closeGraceMs = 1_000
const headerBytesMax = 8_192
