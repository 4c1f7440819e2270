import { connect, type Socket } from 'node:net'
import { serverMessages } from '@conclave/protocol/codec'
import type { ServerFrame } from '@conclave/protocol'

/** What a server has said on a connection until it was gone. */
export interface WireEnd {
  /** Of the answer to the handshake; null when there was none. */
  readonly status: number | null
  readonly frames: readonly ServerFrame[]
  /** Of the close frame; null when there was none. */
  readonly closeCode: number | null
  readonly pongs: number
}

/** Who ends what he has opened. */
export type Owner = { teardown(end: () => unknown): void }

/** A TCP connection that says anything at all, and reads what a WebSocket server answers. */
export class WireSocket {
  readonly socket: Socket
  /** Resolves when the connection is gone, whoever ended it. */
  readonly ended: Promise<WireEnd>
  /** Called when the server sends what it must not. */
  onFault: (error: Error) => void = (error) => {
    throw error
  }
  readonly #frames: ServerFrame[] = []
  readonly #waiting = new Set<() => void>()
  #status: number | null = null
  #closeCode: number | null = null
  #pongs = 0
  #isOver = false
  #unread: Buffer = Buffer.alloc(0)

  /**
   * @param t destroys it when it ends
   * @param allowHalfOpen true: it stays open when the server has ended its half
   */
  constructor(t: Owner, port: number, allowHalfOpen = false) {
    this.socket = connect({ host: '127.0.0.1', port, allowHalfOpen })
    t.teardown(() => this.socket.destroy())
    this.socket.on('error', () => undefined)
    this.socket.on('data', (bytes: Buffer) => this.#arrived(bytes))
    this.ended = new Promise((resolve) => {
      this.socket.once('close', () => {
        this.#over()
        resolve(this.#end())
      })
    })
    this.socket.once('end', () => this.#over())
  }

  /** One that has become a WebSocket. */
  static async upgraded(t: Owner, port: number): Promise<WireSocket> {
    const wire = new WireSocket(t, port)
    wire.write(handshakeText())
    await wire.until(() => wire.#status !== null)
    return wire
  }

  get frames(): readonly ServerFrame[] {
    return this.#frames
  }

  get status(): number | null {
    return this.#status
  }

  get closeCode(): number | null {
    return this.#closeCode
  }

  get pongs(): number {
    return this.#pongs
  }

  write(bytes: Uint8Array | string): void {
    if (!this.socket.destroyed) this.socket.write(bytes)
  }

  /** Resolves when it holds, or when the server has ended its half. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds() && !this.#isOver) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  #end(): WireEnd {
    const [status, frames, closeCode, pongs] = [
      this.#status,
      this.#frames,
      this.#closeCode,
      this.#pongs,
    ]
    return { status, frames, closeCode, pongs }
  }

  #over(): void {
    this.#isOver = true
    for (const look of this.#waiting) look()
  }

  #arrived(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes])
    if (this.#status === null) this.#readStatus()
    try {
      if (this.#status === 101) while (this.#readFrame());
    } catch (error) {
      this.onFault(error as Error)
    }
    for (const look of this.#waiting) look()
  }

  #readStatus(): void {
    const end = this.#unread.indexOf('\r\n\r\n')
    if (end === -1) return
    this.#status = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#unread.toString('latin1'))?.[1] ?? 0)
    this.#unread = this.#unread.subarray(end + 4)
  }

  /** Servers send whole messages, without masks. */
  #readFrame(): boolean {
    const bytes = this.#unread
    if (bytes.length < 2) return false
    const short = (bytes[1] as number) & 0x7f
    const start = short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < start) return false
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    if (bytes.length < start + length) return false
    const payload = bytes.subarray(start, start + length)
    const opcode = (bytes[0] as number) & 0x0f
    if (opcode === 0x2) this.#frames.push(...serverMessages.decode(payload))
    if (opcode === 0x8) {
      if (length >= 2) this.#closeCode = payload.readUInt16BE(0)
      this.write(wireFrame({ opcode, payload }))
    }
    if (opcode === 0xa) this.#pongs += 1
    this.#unread = bytes.subarray(start + length)
    return true
  }
}

/** @param lines instead of, or besides, those of a good handshake; null leaves one out */
export const handshakeText = (lines: Readonly<Record<string, string | null>> = {}): string => {
  const all: Readonly<Record<string, string | null>> = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol': 'conclave.v1',
    ...lines,
  }
  const headers = Object.entries(all).filter(([, value]) => value !== null)
  return ['GET / HTTP/1.1', ...headers.map(([name, value]) => `${name}: ${value}`), '', ''].join(
    '\r\n',
  )
}

export interface WireFrame {
  readonly opcode: number
  readonly payload?: Uint8Array
  readonly isFinal?: boolean
  /** The three reserved bits. */
  readonly reserved?: number
  readonly isMasked?: boolean
  /** What it says of its length, if that is not the truth. */
  readonly length?: number | bigint
}

export const opcodes = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A frame as a client sends it, under a mask of zeros. */
export const wireFrame = (frame: WireFrame): Buffer => {
  const { opcode, payload = new Uint8Array(0), isFinal = true, reserved = 0 } = frame
  const { isMasked = true, length = payload.length } = frame
  const mask = isMasked ? 0x80 : 0
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode
  let head: Buffer
  if (typeof length === 'bigint' || length > 0xffff) {
    head = Buffer.alloc(10, 0)
    head[1] = mask | 127
    head.writeBigUInt64BE(BigInt(length), 2)
  } else if (length > 125) {
    head = Buffer.alloc(4)
    head[1] = mask | 126
    head.writeUInt16BE(length, 2)
  } else {
    head = Buffer.from([0, mask | length])
  }
  head[0] = first
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0), payload])
}
