import type { ServerOptions } from '#server/main.js'
import { Forked } from './forked.js'
import { ownLoopback } from './own-loopback.js'
import { type DiskMoment, lastMoments, type LastMoments, monotonicMs } from './disk-trace.js'
import type { ServerMessage, ServerOrder } from './server-child.js'

/** A real server, to be killed and started again on the same directory and port. */
export class ServerProcess {
  /** Rejects when the server ends by itself. */
  readonly fault: Promise<never>
  readonly #options: ServerOptions
  #onFault: (error: unknown) => void = () => undefined
  #child: Forked<ServerMessage> | null = null
  /** The next one, with its modules loaded, so that a restart takes little time. */
  #spare: Forked<ServerMessage> | null = null
  #url = ''
  #isOver = false
  #killedMs = Number.NEGATIVE_INFINITY
  readonly #trace: string | null

  /** @param trace where each life writes down what it asks of the disk; null for nowhere */
  constructor(options: ServerOptions, trace: string | null = null) {
    this.#trace = trace
    this.#options = { host: ownLoopback(), ...options }
    this.fault = new Promise((_resolve, reject) => {
      this.#onFault = reject
    })
    this.fault.catch(() => undefined)
  }

  get url(): string {
    return this.#url
  }

  /** Resolves when it serves clients. */
  async start(): Promise<void> {
    const child = this.#next()
    child.fault.catch(this.#onFault)
    const answer = await child.ask(this.#order())
    if ('refused' in answer) throw new Error(`the server did not start: ${answer.refused}`)
    this.#url = answer.url
    if (!this.#isOver) this.#spare = new Forked('server-child')
  }

  /** A start that ends in this moment, before or soon after it serves clients. */
  async startAndDie(moment: DiskMoment): Promise<void> {
    const child = this.#next()
    this.#child = null
    this.#killedMs = Number.NEGATIVE_INFINITY
    child.tell({ ...this.#order(), moment })
    await child.ended()
  }

  /** kill -9, sent before this returns; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    this.#killedMs = monotonicMs()
    await child?.kill()
  }

  /** kill -9 by its own hand in this moment, or by {@link kill}; resolves when it is gone. */
  async killAt(moment: DiskMoment): Promise<void> {
    const child = this.#child
    this.#killedMs = Number.NEGATIVE_INFINITY
    child?.tell({ moment })
    await child?.ended()
    if (this.#child === child) this.#child = null
  }

  /** Of the life that was ended last, when it was traced. */
  lastMoments(): LastMoments {
    if (this.#trace === null) throw new Error('the server is not traced')
    return lastMoments(this.#trace, this.#killedMs)
  }

  /** Ends it in order and for good, and what was kept ready beside it. */
  async stop(): Promise<void> {
    this.#isOver = true
    const [child, spare] = [this.#child, this.#spare]
    this.#child = null
    this.#spare = null
    await Promise.all([child?.end(), spare?.kill()])
  }

  #next(): Forked<ServerMessage> {
    if (this.#child !== null || this.#isOver) throw new Error('the server runs, or is over')
    const child = this.#spare ?? new Forked<ServerMessage>('server-child')
    this.#spare = null
    this.#child = child
    return child
  }

  #order(): ServerOrder {
    const clientPort = this.#url === '' ? 0 : Number(new URL(this.#url).port)
    const options = { ...this.#options, clientPort }
    return this.#trace === null ? { options } : { options, trace: this.#trace }
  }
}
