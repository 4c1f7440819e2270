import { Fifo } from '@conclave/protocol'
import type { OnFault } from '../load/connection.js'
import { BatchedSocket } from './batched-socket.js'
import { RequestHeaders, ResponseHeaders } from './header-blocks.js'

/** One call: a message to the server, and what comes back. */
export interface Call {
  onMessage(message: Buffer): void
  /** Success is said after the last message; a failure is a fault of the connection. */
  onEnd(): void
}

/**
 * Calls of gRPC over one HTTP/2 connection (RFC 9113), as many at a time as are made. Frames of
 * calls that are made in one turn leave in one write. Neither `@grpc/grpc-js` nor `node:http2` does
 * that: the generator would take more of the CPUs than the servers that are measured.
 */
export class GrpcClient {
  readonly #socket: BatchedSocket
  readonly #onFault: OnFault
  readonly #requestHeaders: RequestHeaders
  readonly #responseHeaders = new ResponseHeaders()
  readonly #calls = new Map<number, OpenCall>()
  readonly #waiting = new Fifo<WaitingFrame>()
  #streamId = 1
  #sendWindow = windowBytesDefault
  #received = 0

  private constructor(address: string, onFault: OnFault) {
    this.#onFault = onFault
    this.#requestHeaders = new RequestHeaders(address)
    this.#socket = new BatchedSocket(address, (bytes) => this.#parse(bytes), onFault)
  }

  static async open(address: string, onFault: OnFault): Promise<GrpcClient> {
    const client = new GrpcClient(address, onFault)
    await client.#socket.opened
    client.#socket.push(preface)
    return client
  }

  /** @param isLast false for a call that goes on after this message */
  call(path: string, message: Buffer, isLast: boolean, call: Call): void {
    const streamId = this.#streamId
    this.#streamId += 2
    const block = this.#requestHeaders.block(path)
    const open: OpenCall = { call, rest: null, sendWindow: windowBytesDefault }
    this.#calls.set(streamId, open)
    this.#socket.push(frame(types.headers, flags.endHeaders, streamId, block))
    const prefixed = Buffer.allocUnsafe(5 + message.length)
    prefixed[0] = 0
    prefixed.writeUInt32BE(message.length, 1)
    message.copy(prefixed, 5)
    for (let from = 0; from < prefixed.length; from += frameBytesMax) {
      const piece = prefixed.subarray(from, from + frameBytesMax)
      const isEnd = isLast && from + frameBytesMax >= prefixed.length
      const bytes = frame(types.data, isEnd ? flags.endStream : 0, streamId, piece)
      this.#waiting.push({ open, bytes, length: piece.length })
    }
    this.#sendWaiting()
  }

  close(): Promise<void> {
    return this.#socket.close()
  }

  /** As much data as the server has room for, in the order of the calls. */
  #sendWaiting(): void {
    for (;;) {
      const next = this.#waiting.at(0)
      if (next === undefined) return
      const { open, bytes, length } = next
      if (length > this.#sendWindow || length > open.sendWindow) return
      this.#waiting.shift()
      this.#sendWindow -= length
      open.sendWindow -= length
      this.#socket.push(bytes)
    }
  }

  #parse(bytes: Buffer): number {
    let at = 0
    while (at + headerBytes <= bytes.length) {
      const end = at + headerBytes + bytes.readUIntBE(at, 3)
      if (end > bytes.length) break
      const streamId = bytes.readUInt32BE(at + 5)
      const payload = bytes.subarray(at + headerBytes, end)
      this.#onFrame(bytes[at + 3] as number, bytes[at + 4] as number, streamId, payload)
      at = end
    }
    return at
  }

  #onFrame(type: number, flag: number, streamId: number, payload: Buffer): void {
    if (type === types.data) this.#onDataFrame(streamId, payload)
    else if (type === types.headers) this.#onHeaders(flag, streamId, payload)
    else if (type === types.windowUpdate) {
      const open = this.#calls.get(streamId)
      if (streamId === 0) this.#sendWindow += payload.readUInt32BE(0)
      else if (open !== undefined) open.sendWindow += payload.readUInt32BE(0)
      this.#sendWaiting()
    } else if (type === types.ping || type === types.settings) {
      if ((flag & flags.ack) !== 0) return
      const answer = type === types.ping ? payload : Buffer.alloc(0)
      this.#socket.push(frame(type, flags.ack, 0, answer))
    } else if (type !== types.rstStream || this.#calls.has(streamId)) {
      // Once a call has ended the server may say that it wants no more of it (RFC 9113, 8.1).
      this.#onFault(
        new Error(`etcd sent an HTTP/2 frame of type ${type}: ${payload.toString('hex')}`),
      )
    }
  }

  #onDataFrame(streamId: number, payload: Buffer): void {
    this.#received += payload.length
    if (this.#received > windowBytesMax / 2) {
      this.#socket.push(windowUpdate(this.#received))
      this.#received = 0
    }
    const open = this.#calls.get(streamId)
    if (open === undefined) return
    const bytes = open.rest === null ? payload : Buffer.concat([open.rest, payload])
    let at = 0
    while (at + 5 <= bytes.length) {
      const end = at + 5 + bytes.readUInt32BE(at + 1)
      if (end > bytes.length) break
      open.call.onMessage(bytes.subarray(at + 5, end))
      at = end
    }
    open.rest = at === bytes.length ? null : bytes.subarray(at)
  }

  #onHeaders(flag: number, streamId: number, block: Buffer): void {
    if ((flag & flags.endHeaders) === 0 || (flag & flags.withMore) !== 0) {
      this.#onFault(new Error(`etcd sent headers with the flags ${flag}`))
      return
    }
    const status = this.#responseHeaders.status(block)
    if (status !== null && status.code !== 0) {
      this.#onFault(new Error(`etcd answered with ${status.code}: ${status.message}`))
      return
    }
    if ((flag & flags.endStream) === 0) return
    const open = this.#calls.get(streamId)
    this.#calls.delete(streamId)
    if (open === undefined || status === null) {
      this.#onFault(new Error('etcd ended a call without a status'))
    } else open.call.onEnd()
  }
}

interface OpenCall {
  readonly call: Call
  /** Of a message that has come in part. */
  rest: Buffer | null
  /** How much more of this call the server has room for. */
  sendWindow: number
}

interface WaitingFrame {
  readonly open: OpenCall
  readonly bytes: Buffer
  /** Of the data in it. */
  readonly length: number
}

const frame = (type: number, flag: number, streamId: number, payload: Buffer): Buffer => {
  const bytes = Buffer.allocUnsafe(headerBytes + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flag
  bytes.writeUInt32BE(streamId, 5)
  payload.copy(bytes, headerBytes)
  return bytes
}

const windowUpdate = (bytes: number): Buffer => {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(bytes)
  return frame(types.windowUpdate, 0, 0, payload)
}

const setting = (name: number, value: number): Buffer => {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(name)
  bytes.writeUInt32BE(value, 2)
  return bytes
}

const headerBytes = 9
const types = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, windowUpdate: 8 }
/** `withMore`: padding or a priority in front of the headers. */
const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, withMore: 0x28 }
/** What every receiver takes unless it says more. */
const frameBytesMax = 16_384
const windowBytesDefault = 65_535
const windowBytesMax = 2 ** 31 - 1
const settings = { headerTableSize: 1, enablePush: 2, initialWindowSize: 4 }

const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
  frame(
    types.settings,
    0,
    0,
    Buffer.concat([
      setting(settings.headerTableSize, 0),
      setting(settings.enablePush, 0),
      setting(settings.initialWindowSize, windowBytesMax),
    ]),
  ),
  windowUpdate(windowBytesMax - windowBytesDefault),
])
