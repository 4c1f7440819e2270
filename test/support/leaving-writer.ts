import { type Client } from '#client/index.js'
import { type Told, tellingOf } from './exactly-once-writer.js'
import { WireSpy } from './wire-spy.js'

/** Keeps writes in flight until its server dies, and then never comes back to hear of them. */
export class LeavingWriter {
  readonly spy: WireSpy
  readonly sessionId: number
  readonly told: Told[] = []
  readonly #client: Client
  readonly #root: string
  #isLeaving = false

  /** Goes with the session. */
  get ephemeral(): string {
    return `${this.#root}-alive`
  }

  /** Its session has a znode of its own, and ephemerals that must go with it. */
  static async join(url: string, name: string): Promise<LeavingWriter> {
    const spy = new WireSpy({ sent: noop, arriving: noop, arrived: noop })
    const client = await spy.connect(url, sessionTimeoutMs)
    const writer = new LeavingWriter(client, spy, `/${name}`)
    writer.#tell(client.create(`/${name}`)).catch(noop)
    await writer.#tell(client.create(writer.ephemeral, null, { kind: 'ephemeral' }))
    for (let i = 0; i < inFlight; i++) void writer.#write(i)
    return writer
  }

  private constructor(client: Client, spy: WireSpy, root: string) {
    this.#client = client
    this.spy = spy
    this.sessionId = client.sessionId
    this.#root = root
  }

  /** To be called when the server is dead; resolves when every promise has settled. */
  async leave(): Promise<void> {
    this.#isLeaving = true
    await this.#client.close({ timeoutMs: 1 })
    while (this.told.some(({ isSettled }) => !isSettled)) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #write(number: number): Promise<void> {
    while (!this.#isLeaving) {
      await this.#tell(this.#call(number)).catch(noop)
      number += inFlight
    }
  }

  #call(number: number): Promise<unknown> {
    const client = this.#client
    switch (number % 4) {
      case 0:
        return client.create(`${this.#root}-${number}`, filler, { kind: 'ephemeral' })
      case 1:
        return client.create(`${this.#root}/s-`, filler, { kind: 'sequential' })
      case 2:
        return client.set(this.#root, filler)
      default:
        return client.delete(`${this.#root}-${number - 3}`)
    }
  }

  #tell<T>(call: Promise<T>): Promise<T> {
    this.told.push(tellingOf(call))
    return call
  }
}

const noop = (): void => undefined
const inFlight = 40
const sessionTimeoutMs = 4_000
const filler = new Uint8Array(50).fill(0x2e)
