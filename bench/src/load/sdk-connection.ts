import { type Client, connect } from '@conclave/client'
import type { Done, LoadConnection, OnFault, OpenConnection } from './connection.js'

/** The SDK as its users have it. */
export const openSdk: OpenConnection = async (address, onFault) =>
  new SdkConnection(await connect(`conclave://${address}`, { sessionTimeoutMs }), onFault)

class SdkConnection implements LoadConnection {
  readonly #client: Client
  readonly #onFault: OnFault

  constructor(client: Client, onFault: OnFault) {
    this.#client = client
    this.#onFault = onFault
  }

  create(path: string, value: Buffer, onDone: Done): void {
    this.#client.create(path, value).then(() => onDone(0), this.#onFault)
  }

  set(path: string, value: Buffer, onDone: Done): void {
    this.#client.set(path, value).then(({ version }) => onDone(version), this.#onFault)
  }

  get(path: string, isLinearizable: boolean, onDone: Done): void {
    this.#client.get(path, isLinearizable ? linearizable : undefined).then(({ data, stat }) => {
      if (data !== null && data.length > 0) onDone(stat.version)
      else this.#onFault(new Error(`${path} was read without data`))
    }, this.#onFault)
  }

  async watch(path: string, onEvent: () => void): Promise<void> {
    const stream = this.#client.watch(path)
    const first = await stream.next()
    if (first.value?.type !== 'caughtUp') throw new Error(`a stream of ${path} began otherwise`)
    const follow = async (): Promise<void> => {
      for await (const { type } of stream) if (type !== 'caughtUp') onEvent()
    }
    follow().catch(this.#onFault)
  }

  /** The SDK does that by itself. */
  ping(): void {
    this.#onFault(new Error('users of the SDK send no pings'))
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

const linearizable = { consistency: 'linearizable' } as const
const sessionTimeoutMs = 30_000
