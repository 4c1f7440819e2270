import { isDeepStrictEqual } from 'node:util'
import { connectorFor } from '#client/connect.js'
import type { Client } from '#client/index.js'
import { nodePlatform } from '#client/transport/node.js'
import type { ConnectionEvents, Platform } from '#client/transport/transport.js'
import { type Failure, isWrite, type WriteOp, type Zxid } from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'

/** A write as it was seen on the wire, under its xid. */
export interface SeenWrite {
  readonly op: WriteOp
  /** On how many connections it was sent. */
  connections: number
  readonly replies: SeenReply[]
}

export interface SeenReply {
  readonly zxid: Zxid
  readonly failure: Failure | null
  readonly result: unknown
}

/** Is told of each message from the server, before the client is. */
export interface WireObserver {
  /** Writes have just left. */
  sent(): void
  /** Nobody has looked at it yet. */
  arriving(spy: WireSpy): void
  arrived(): void
}

/** A real client, and beside it all writes and replies that pass on its real connections. */
export class WireSpy {
  readonly writes = new Map<number, SeenWrite>()
  readonly faults: string[] = []
  /** Xids that were sent on the present connection and have no reply, and when they were. */
  readonly pending = new Map<number, number>()
  /** How long the last answered write has lived. */
  lifeMs = 0
  isAttached = false
  /** How often it was attached to its session. */
  attaches = 0
  replies = 0
  /** How many writes have lost their connection before their reply came. */
  losses = 0
  readonly #observer: WireObserver
  #lost: readonly number[] = []
  #onLost: () => void = () => undefined

  constructor(observer: WireObserver) {
    this.#observer = observer
  }

  /** Resolves, once the connection is gone, to the xids that never got an answer on it. */
  async disconnected(): Promise<readonly number[]> {
    if (this.isAttached) {
      await new Promise<void>((resolve) => {
        this.#onLost = resolve
      })
    }
    return this.#lost
  }

  connect(url: string, sessionTimeoutMs: number): Promise<Client> {
    const platform: Platform = {
      ...nodePlatform,
      transport: {
        open: (server, events) => {
          const connection = nodePlatform.transport.open(server, this.#overhear(events))
          return {
            send: (message) => {
              const before = this.pending.size
              this.#sent(message)
              connection.send(message)
              if (this.pending.size > before) this.#observer.sent()
            },
            close: () => {
              this.#over()
              connection.close()
            },
          }
        },
      },
    }
    return connectorFor(platform)(url, { sessionTimeoutMs })
  }

  #overhear(events: ConnectionEvents): ConnectionEvents {
    return {
      opened: () => events.opened(),
      message: (message) => {
        this.#observer.arriving(this)
        this.#heard(message)
        events.message(message)
      },
      lost: (reason) => {
        this.#over()
        events.lost(reason)
      },
    }
  }

  #sent(message: Uint8Array): void {
    for (const frame of clientMessages.decode(message)) {
      if (frame.frame !== 'request' || !isWrite(frame.op)) continue
      const { xid, op } = frame
      const known = this.writes.get(xid)
      if (known === undefined) this.writes.set(xid, { op, connections: 1, replies: [] })
      else {
        known.connections += 1
        if (!isDeepStrictEqual(op, known.op)) this.faults.push(`xid ${xid} is another write now`)
      }
      this.pending.set(xid, performance.now())
    }
  }

  #heard(message: Uint8Array): void {
    for (const frame of serverMessages.decode(message)) {
      if (frame.frame === 'connected') {
        this.isAttached = true
        this.attaches += 1
      }
      if (frame.frame !== 'reply') continue
      const { xid, zxid, failure, result } = frame
      this.writes.get(xid)?.replies.push({ zxid, failure, result })
      const sentMs = this.pending.get(xid)
      if (sentMs === undefined) continue
      this.lifeMs = performance.now() - sentMs
      this.pending.delete(xid)
      this.replies += 1
    }
    this.#observer.arrived()
  }

  #over(): void {
    // An attempt that fails is no connection.
    if (!this.isAttached) return
    this.isAttached = false
    this.#lost = [...this.pending.keys()]
    this.losses += this.pending.size
    this.pending.clear()
    this.#onLost()
  }
}
