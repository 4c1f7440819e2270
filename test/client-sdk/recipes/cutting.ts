import { connectorFor } from '#client/connect.js'
import type { Client, ConnectOptions } from '#client/index.js'
import { nodePlatform } from '#client/transport/node.js'
import type {
  Connection,
  ConnectionEvents,
  Platform,
  Transport,
} from '#client/transport/transport.js'
import type { ClientFrame, ServerFrame, Xid } from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'

/**
 * What happens to a client at one of its frames.
 * - `cutBefore`, `cutAfter`: the connection is lost, the frame with it or just behind it.
 * - `expire`: the session ends, by a closeSession that the client knows nothing of.
 * - `isolate`: the connection is lost just behind the frame, and the next one is had only when the
 *   servers have let a session of {@link isolatedTimeoutMs} expire.
 */
export type Fault = 'cutBefore' | 'cutAfter' | 'expire' | 'isolate'

/** The session timeout of those who are isolated. */
export const isolatedTimeoutMs = 1_000
/** Twice what the servers wait, and the time in which they see it. */
const isolationMs = 3 * isolatedTimeoutMs

/**
 * A transport that counts the frames that pass, in both directions, from {@link arm} on, and does a
 * fault at one of them. Pings and pongs do not count: when they pass is chance.
 */
export class CuttingTransport {
  /** Frames that have passed since it was armed. */
  passed = 0
  hasStruck = false
  /** Called when the fault has happened, before the client is told of a lost connection. */
  onStrike: () => void = () => undefined
  readonly place: Platform
  #isolatedUntilMs = 0
  #fault: Armed | null = null
  #xid = 0
  /** An xid of ours; what the server says to it is not for the client. */
  #ownXid: number | null = null

  /** @param place that the client would be in without it */
  constructor(place: Platform = nodePlatform) {
    this.place = place
  }

  connect(url: string, options: ConnectOptions = {}): Promise<Client> {
    const open: Transport['open'] = (server, events) =>
      this.place.nowMs() < this.#isolatedUntilMs
        ? unreachable(this.place, events)
        : new Cut(this, server, events)
    return connectorFor({ ...this.place, transport: { open } })(url, options)
  }

  isolate(): void {
    this.#isolatedUntilMs = this.place.nowMs() + isolationMs
  }

  /** @param at which frame from now on, counted from 1; 0 only counts */
  arm(at: number, fault: Fault): void {
    this.armWhen(() => this.passed === at, fault)
  }

  /** @param isAt is asked of each frame until it is true */
  armWhen(isAt: Armed['isAt'], fault: Fault): void {
    this.passed = 0
    this.#fault = { isAt, fault }
  }

  /** Nothing can happen here, so a message need not be taken apart. */
  get isIdle(): boolean {
    return this.#fault === null && this.#ownXid === null
  }

  /** @returns what is to be done with the frame */
  judge(frame: ClientFrame | ServerFrame): Fault | 'lose' | null {
    if (frame.frame === 'request') this.#xid = frame.xid
    if (this.#fault === null || uncounted.has(frame.frame)) return null
    this.passed += 1
    if (this.hasStruck) return null
    const isAt = this.#fault.isAt(frame)
    if (isAt === 'lose') return 'lose'
    if (!isAt) return null
    this.hasStruck = true
    return this.#fault.fault
  }

  closeSession(): Uint8Array {
    // Far from those that the client will use.
    this.#ownXid = this.#xid + 1_000_000
    const { xid, ...rest } = { xid: this.#ownXid as Xid, ackedXid: 0 as Xid, refusedSeen: 0 as Xid }
    return clientMessages.encode([{ frame: 'request', xid, ...rest, op: { op: 'closeSession' } }])
  }

  isOwnReply(frame: ServerFrame): boolean {
    return frame.frame === 'reply' && frame.xid === this.#ownXid
  }
}

interface Armed {
  /** `lose`: not yet, but this frame is lost already. */
  readonly isAt: (frame: ClientFrame | ServerFrame) => boolean | 'lose'
  readonly fault: Fault
}

const unreachable = (place: Platform, events: ConnectionEvents): Connection => {
  const stop = place.timer(100, () => events.lost('isolated by the test'))
  return { send: () => undefined, close: stop }
}

const uncounted: ReadonlySet<string> = new Set(['ping', 'pong', 'probe', 'probed', 'ack'])

class Cut implements Connection {
  readonly #cutting: CuttingTransport
  readonly #events: ConnectionEvents
  readonly #real: Connection
  #isOver = false
  /** The session is being closed; nothing passes until that is done. */
  #isExpiring = false

  constructor(cutting: CuttingTransport, server: string, events: ConnectionEvents) {
    this.#cutting = cutting
    this.#events = events
    this.#real = cutting.place.transport.open(server, {
      opened: () => events.opened(),
      message: (message) => this.#heard(message),
      lost: (reason, isTooLarge) => {
        if (this.#isOver) return
        this.#isOver = true
        events.lost(reason, isTooLarge)
      },
    })
  }

  send(message: Uint8Array): void {
    if (this.#cutting.isIdle) return this.#real.send(message)
    for (const frame of clientMessages.decode(message)) {
      if (this.#isOver || this.#isExpiring) return
      const fault = this.#cutting.judge(frame)
      if (fault === 'lose') continue
      if (fault !== 'cutBefore') this.#real.send(clientMessages.encode([frame]))
      this.#strike(fault)
    }
  }

  close(): void {
    this.#isOver = true
    this.#real.close()
  }

  #heard(message: Uint8Array): void {
    if (this.#cutting.isIdle) return this.#events.message(message)
    for (const frame of serverMessages.decode(message)) {
      if (this.#isOver) return
      if (this.#isExpiring) {
        if (this.#cutting.isOwnReply(frame)) this.#lose()
        continue
      }
      const fault = this.#cutting.judge(frame)
      if (fault === 'lose') continue
      if (fault !== 'cutBefore') this.#events.message(serverMessages.encode([frame]))
      this.#strike(fault)
    }
  }

  #strike(fault: Fault | null): void {
    if (fault === null || this.#isOver) return
    if (fault === 'isolate') this.#cutting.isolate()
    if (fault !== 'expire') return this.#lose()
    this.#isExpiring = true
    this.#real.send(this.#cutting.closeSession())
  }

  /** Later, as a real transport says it. */
  #lose(): void {
    this.#isOver = true
    this.#cutting.onStrike()
    this.#real.close()
    this.#cutting.place.defer(() => this.#events.lost('cut by the test'))
  }
}
