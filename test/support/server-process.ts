import type { ServerOptions } from '#server/main.js'
import { Forked } from './forked.js'
import { ownLoopback } from './own-loopback.js'
import type { ServerMessage } from './server-child.js'

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

  constructor(options: ServerOptions) {
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
    if (this.#child !== null || this.#isOver) throw new Error('the server runs, or is over')
    const clientPort = this.#url === '' ? 0 : Number(new URL(this.#url).port)
    const child = this.#spare ?? new Forked<ServerMessage>('server-child')
    this.#spare = null
    this.#child = child
    child.fault.catch(this.#onFault)
    const answer = await child.ask({ ...this.#options, clientPort })
    if ('refused' in answer) throw new Error(`the server did not start: ${answer.refused}`)
    this.#url = answer.url
    if (!this.#isOver) this.#spare = new Forked('server-child')
  }

  /** kill -9, sent before this returns; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    await child?.kill()
  }

  /** Ends it in order and for good, and what was kept ready beside it. */
  async stop(): Promise<void> {
    this.#isOver = true
    const [child, spare] = [this.#child, this.#spare]
    this.#child = null
    this.#spare = null
    await Promise.all([child?.end(), spare?.kill()])
  }
}
