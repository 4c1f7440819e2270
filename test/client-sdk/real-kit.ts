import type { RunningServer } from '#server/main.js'
import type { ServerOptions } from '#server/server-options.js'
import {
  type Client,
  connect,
  type ConnectOptions,
  type SessionState,
  type StateChange,
  type WatchEvent,
} from '#client/index.js'
import type { Test } from 'tap'
import { startTestServer } from '../support/server-kit.js'

/** A client that is closed when the test ends. */
export const connectTo = async (
  t: Test,
  url: string,
  options: ConnectOptions = {},
): Promise<Client> => {
  const client = await connect(url, options)
  t.teardown(() => client.close({ timeoutMs: 1_000 }))
  return client
}

/** A real server and a client of it. */
export const startReal = async (
  t: Test,
  options: Partial<ServerOptions> = {},
): Promise<{ readonly server: RunningServer; readonly client: Client }> => {
  const server = await startTestServer(t, options)
  return { server, client: await connectTo(t, server.url) }
}

/** Every state that a client goes through from now on. */
export class StateLog {
  readonly changes: StateChange[] = []
  readonly #waiting = new Set<() => void>()

  constructor(client: Client) {
    client.on('state', (change) => {
      this.changes.push(change)
      for (const look of this.#waiting) look()
    })
  }

  get states(): readonly SessionState[] {
    return this.changes.map(({ state }) => state)
  }

  /** Resolves to the first change that fits, from change `from` on. */
  next(fits: (change: StateChange) => boolean, from = 0): Promise<StateChange> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.changes.slice(from).find(fits)
        if (found === undefined) return
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
    })
  }
}

/** `type path` of the next `count` changes; anything else but `caughtUp` is an error. */
export const takeChanges = async (
  stream: AsyncIterator<WatchEvent, undefined>,
  count: number,
): Promise<readonly string[]> => {
  const taken: string[] = []
  while (taken.length < count) {
    const { value } = await stream.next()
    if (value === undefined) throw new Error('the stream has ended')
    if (value.type === 'gap') throw new Error(`a gap from ${value.from} to ${value.to}`)
    if (value.type !== 'caughtUp') taken.push(`${value.type} ${value.path}`)
  }
  return taken
}
