import { randomBytes } from 'node:crypto'
import { pack } from '@conclave/protocol/codec'
import { reset } from '../support/reset.js'
import { handshakeText, opcodes, wireFrame, WireSocket } from '../support/wire-socket.js'
import type { Dice } from './dice.js'
import { clientFrame, clientFrameValues, opValues } from './grammar.js'
import { mutated } from './mutate.js'
import { template } from './target.js'

/** What the attackers of one server have in common. */
export interface Campaign {
  readonly port: number
  /** Messages that once got an answer of a new kind. */
  readonly corpus: Buffer[]
  /** Sessions that were opened, to be attached to again by somebody else. */
  readonly sessions: { readonly nonce: Uint8Array; sessionId: number; attach: number }[]
  /** Says what came of something; @returns true when nothing like it has come before */
  readonly saw: (signature: string) => boolean
  /** What must not happen. */
  readonly failed: (error: Error) => void
}

/** One attack: opens, says things, and leaves in some way. What it sent is kept for the report. */
export class Attack {
  readonly sent: string[] = []
  readonly #campaign: Campaign
  readonly #dice: Dice
  #ends: (() => void)[] = []

  constructor(campaign: Campaign, dice: Dice) {
    this.#campaign = campaign
    this.#dice = dice
  }

  async run(): Promise<void> {
    const kinds = [
      () => this.#speak(),
      () => this.#speak(),
      () => this.#speak(),
      () => this.#speak(),
      () => this.#mumble(),
      () => this.#shakeHands(),
      () => this.#beDeaf(),
    ]
    try {
      await Promise.race([this.#dice.pick(kinds)(), pause(3_000)])
    } finally {
      for (const end of this.#ends.splice(0)) end()
    }
  }

  /** Frames of a session, most of them good. */
  async #speak(): Promise<void> {
    const wire = await this.#attached()
    const dice = this.#dice
    let xid = dice.below(3)
    for (let messages = 1 + dice.below(20); messages > 0 && !wire.socket.destroyed; messages--) {
      const frames = Array.from({ length: dice.once(30) ? 300 : 1 + dice.below(8) }, () => {
        xid += 1
        return clientFrame(dice, xid)
      })
      this.#message(wire, this.#bent(Buffer.from(pack(frames))))
      if (dice.once(2)) await this.#answer(wire)
    }
    await this.#leave(wire)
  }

  /** A message as it is, changed, or one that has proved interesting. */
  #bent(message: Buffer): Buffer {
    const { corpus } = this.#campaign
    const dice = this.#dice
    if (!dice.once(8)) return message
    const from = corpus.length > 0 && dice.once(2) ? dice.pick(corpus) : message
    return mutated(dice, from, corpus.length > 0 ? dice.pick(corpus) : message)
  }

  /** WebSocket frames that are none. */
  async #mumble(): Promise<void> {
    const wire = await this.#attached()
    const dice = this.#dice
    for (let times = 1 + dice.below(10); times > 0 && !wire.socket.destroyed; times--) {
      const frame = wireFrame({
        opcode: dice.pick([0, 1, 2, 2, 2, 3, 8, 9, 10, 15]),
        payload: dice.once(3)
          ? dice.bytes(dice.below(300))
          : Buffer.from(pack([clientFrame(dice, 1)])),
        isFinal: !dice.once(3),
        reserved: dice.once(6) ? dice.below(8) : 0,
        isMasked: !dice.once(10),
        ...(dice.once(8) ? { length: dice.pick([0, 126, 65_536, 1n << 32n, 1n << 63n]) } : {}),
      })
      this.#write(wire, dice.once(5) ? mutated(dice, frame, frame) : frame)
      if (dice.once(3)) await pause(dice.below(20))
    }
    await this.#leave(wire)
  }

  /** HTTP that is hardly any. */
  async #shakeHands(): Promise<void> {
    const dice = this.#dice
    const wire = this.#open()
    const good = Buffer.from(handshakeText())
    const text = mutated(
      dice,
      good,
      Buffer.from('GET /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n'),
    )
    for (let from = 0; from < text.length;) {
      const piece = dice.once(3) ? 1 + dice.below(40) : text.length
      this.#write(wire, text.subarray(from, from + piece))
      from += piece
      if (dice.once(4)) await pause(dice.below(10))
    }
    await Promise.race([wire.until(() => wire.status !== null), pause(200)])
    this.#campaign.saw(`http ${wire.status}`)
  }

  /** Watches everything, asks for much, and reads nothing. */
  async #beDeaf(): Promise<void> {
    const wire = await this.#attached()
    wire.socket.pause()
    const watch = [21, 1, '/', true, true, null]
    const frames: unknown[] = [[2, 1, 0, 0, watch]]
    const dice = this.#dice
    const op = dice.pick([
      [12, '/', false, false, null, 0, true],
      [15, '/', false, null],
      [11, '/fuzz', false, false],
    ])
    for (let xid = 2; xid < 2 + dice.below(3_000); xid++) frames.push([2, xid, 0, 0, op])
    this.#message(wire, Buffer.from(pack(frames)))
    await pause(dice.below(2_000))
  }

  /** A connection that has said its connect; a new session's, or an old one's. */
  async #attached(): Promise<WireSocket> {
    const dice = this.#dice
    const { sessions } = this.#campaign
    const wire = this.#open()
    this.#write(wire, handshakeText())
    const old = sessions.length > 0 && dice.once(3) ? dice.pick(sessions) : null
    const session = old ?? { nonce: new Uint8Array(randomBytes(16)), sessionId: 0, attach: 0 }
    session.attach += dice.once(8) ? 0 : 1
    const { nonce, sessionId, attach } = session
    const connectFrame = [
      1,
      1,
      sessionId,
      nonce,
      attach,
      dice.pick([1_000, 2_000, 5_000]),
      0,
      null,
      0,
    ]
    const bent = dice.once(12)
      ? [...connectFrame.slice(0, 3), ...dice.pick(clientFrameValues)]
      : connectFrame
    this.#message(wire, Buffer.from(pack([bent])))
    if (dice.once(8)) this.#message(wire, Buffer.from(pack([[2, 1, 0, 0, dice.pick(opValues)]])))
    await Promise.race([wire.until(() => wire.frames.length > 0), pause(1_000)])
    const [first] = wire.frames
    if (first?.frame === 'connected') {
      session.sessionId = first.sessionId
      if (old === null) sessions.push(session)
      if (sessions.length > 50) sessions.shift()
    }
    return wire
  }

  async #leave(wire: WireSocket): Promise<void> {
    const dice = this.#dice
    if (dice.once(3)) await this.#answer(wire)
    this.#note(wire, null)
    const close = wireFrame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xe8]) })
    const ways = [
      () => wire.socket.destroy(),
      () => reset(wire.socket),
      () => wire.socket.end(),
      () => this.#write(wire, close),
      () => this.#message(wire, Buffer.from(pack([[2, 2 ** 40, 0, 0, [8]]]))),
    ]
    dice.pick(ways)()
    if (dice.once(2)) await Promise.race([wire.ended, pause(500)])
    this.#note(wire, null)
  }

  async #answer(wire: WireSocket): Promise<void> {
    const before = wire.frames.length
    await Promise.race([wire.until(() => wire.frames.length > before), pause(100)])
  }

  #open(): WireSocket {
    const wire = new WireSocket({ teardown: (end) => this.#ends.push(end) }, this.#campaign.port)
    wire.onFault = (error) => this.#campaign.failed(error)
    return wire
  }

  #message(wire: WireSocket, payload: Buffer): void {
    const dice = this.#dice
    const before = wire.frames.length
    const cut = dice.once(6) ? dice.below(payload.length + 1) : payload.length
    const { binary, more } = opcodes
    if (cut === payload.length) this.#write(wire, wireFrame({ opcode: binary, payload }))
    else {
      const head = payload.subarray(0, cut)
      this.#write(wire, wireFrame({ opcode: binary, payload: head, isFinal: false }))
      if (dice.once(2)) this.#write(wire, wireFrame({ opcode: opcodes.ping }))
      this.#write(wire, wireFrame({ opcode: more, payload: payload.subarray(cut) }))
    }
    void wire.until(() => wire.frames.length > before).then(() => this.#note(wire, payload))
  }

  #write(wire: WireSocket, bytes: Uint8Array | string): void {
    const buffer = Buffer.from(bytes as string)
    this.sent.push(buffer.toString('hex').slice(0, 4_000))
    wire.write(buffer)
  }

  /** What has come is told; the message that brought something new is kept. */
  #note(wire: WireSocket, message: Buffer | null): void {
    const { saw, corpus, failed } = this.#campaign
    for (const frame of wire.frames.slice(-20)) {
      let signature: string = frame.frame
      if (frame.frame === 'reply' && frame.failure !== null) {
        signature = `${frame.failure.code}: ${template(frame.failure.message)}`
        if (frame.failure.code === 'internal') failed(new Error(frame.failure.message))
      }
      if (frame.frame === 'closing' || frame.frame === 'sessionExpired') signature += frame.reason
      if (saw(signature) && message !== null && message.length < 20_000) corpus.push(message)
    }
    if (wire.closeCode !== null) saw(`closed ${wire.closeCode}`)
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
