import { randomBytes } from 'node:crypto'
import {
  type ClientFrame,
  clientSubprotocol,
  type Failure,
  limits,
  type Op,
  type OpName,
  type OpResult,
  decodeResult,
  protocolVersion,
  type ServerFrame,
  type ServerFrameOf,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import type { Test } from 'tap'
import { type ClientOptions, WebSocket } from 'ws'

export interface Closed {
  readonly code: number
  readonly reason: string
}

/** A WebSocket that speaks frames, and whatever else a test wants to send. */
export interface RawClient {
  readonly socket: WebSocket
  /** All that came, in order. */
  readonly frames: readonly ServerFrame[]
  /** Resolves when the connection is gone. */
  readonly closed: Promise<Closed>
  /** In one message. */
  send(...frames: readonly ClientFrame[]): void
  /** Resolves to the first frame of this name that fits, also one that has come already. */
  next<N extends ServerFrame['frame']>(
    name: N,
    fits?: (frame: ServerFrameOf<N>) => boolean,
  ): Promise<ServerFrameOf<N>>
  /** Sends the op under the next xid and resolves to its reply. */
  ask(op: Op): Promise<ServerFrameOf<'reply'>>
  /** Resolves to the result; throws when the op is refused. */
  result<N extends OpName>(op: Op<N>): Promise<OpResult<N>>
}

/** @param to `host:port`, or a port of 127.0.0.1 */
export const openRaw = async (
  t: Test,
  to: string | number,
  options: ClientOptions = {},
): Promise<RawClient> => {
  const client = new Raw(dial(to, options))
  t.teardown(() => client.socket.terminate())
  await new Promise((resolve, reject) => {
    client.socket.once('open', resolve)
    client.socket.once('error', reject)
  })
  return client
}

/** An open connection with a session. */
export const attachRaw = async (
  t: Test,
  to: string | number,
  fields: Partial<ClientFrame & { frame: 'connect' }> = {},
): Promise<RawClient & { readonly connected: ServerFrameOf<'connected'> }> => {
  const client = await openRaw(t, to)
  client.send(connectFrame(fields))
  const connected = await client.next('connected')
  return Object.assign(client, { connected })
}

/** The HTTP status that a handshake is refused with; 101 when it is not refused. */
export const handshakeStatus = (
  to: string | number,
  { subprotocol = clientSubprotocol, ...options }: ClientOptions & { subprotocol?: string } = {},
): Promise<{ readonly status: number; readonly socket: WebSocket }> =>
  new Promise((resolve, reject) => {
    const socket = dial(to, options, subprotocol)
    socket.once('open', () => {
      resolve({ status: 101, socket })
      socket.terminate()
    })
    socket.once('unexpected-response', (_request, response) => {
      response.resume()
      resolve({ status: response.statusCode ?? 0, socket })
    })
    socket.once('error', reject)
  })

export const connectFrame = (
  fields: Partial<ClientFrame & { frame: 'connect' }> = {},
): ClientFrame => ({
  frame: 'connect',
  version: protocolVersion,
  sessionId: 0 as SessionId,
  nonce: randomBytes(limits.nonceBytes),
  attach: 1,
  sessionTimeoutMs: 30_000,
  lastZxidSeen: 0 as Zxid,
  ensembleId: null,
  ackedXid: 0 as Xid,
  ...fields,
})

export const requestFrame = (xid: number, op: Op): ClientFrame => ({
  frame: 'request',
  xid: xid as Xid,
  ackedXid: 0 as Xid,
  refusedSeen: 0 as Xid,
  op,
})

export const createOp = (path: string, data: Uint8Array | null = null): Op<'create'> => ({
  op: 'create',
  path,
  data,
  kind: 'persistent',
  acl: null,
  ttlMs: 0,
})

export const existsOp = (path: string): Op<'exists'> => ({
  op: 'exists',
  path,
  watch: false,
  linearizable: false,
})

const dial = (to: string | number, options: ClientOptions, subprotocol = clientSubprotocol) =>
  new WebSocket(`ws://${typeof to === 'number' ? `127.0.0.1:${to}` : to}/`, subprotocol, options)

class Raw implements RawClient {
  readonly socket: WebSocket
  readonly frames: ServerFrame[] = []
  readonly closed: Promise<Closed>
  readonly #waiting = new Set<() => void>()
  #xid = 0

  constructor(socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
    socket.on('error', () => undefined)
    socket.on('message', (data) => {
      this.frames.push(...serverMessages.decode(data as Buffer))
      for (const look of this.#waiting) look()
    })
  }

  send(...frames: readonly ClientFrame[]): void {
    this.socket.send(clientMessages.encode(frames))
  }

  next<N extends ServerFrame['frame']>(
    name: N,
    fits: (frame: ServerFrameOf<N>) => boolean = () => true,
  ): Promise<ServerFrameOf<N>> {
    const isIt = (frame: ServerFrame): frame is ServerFrameOf<N> =>
      frame.frame === name && fits(frame as ServerFrameOf<N>)
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.frames.find(isIt)
        if (found === undefined) return
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
      void this.closed.then(({ code }) => reject(new Error(`closed (${code}) before ${name}`)))
    })
  }

  ask(op: Op): Promise<ServerFrameOf<'reply'>> {
    this.#xid += 1
    const xid = this.#xid
    this.send(requestFrame(xid, op))
    return this.next('reply', (reply) => reply.xid === xid)
  }

  async result<N extends OpName>(op: Op<N>): Promise<OpResult<N>> {
    const { failure, result } = await this.ask(op as Op)
    if (failure !== null) throw new Refused(failure)
    return decodeResult(op.op as N, result)
  }
}

class Refused extends Error {
  constructor({ code, message }: Failure) {
    super(`${code}: ${message}`)
  }
}
