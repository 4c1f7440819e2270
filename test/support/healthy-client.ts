import { type Acl, type Client, connect, json } from '#client/index.js'

/**
 * A client that does what clients do while others attack: its writes must each happen once, its
 * ephemeral must stay, and the longest time without an answer is kept.
 */
export class HealthyClient {
  /** The longest that an answer has taken, in milliseconds. */
  longestMs = 0
  answers = 0
  /** What went wrong; null while nothing has. */
  fault: Error | null = null
  readonly #client: Client
  readonly #path: string
  #count = 0
  #isOver = false
  #ended: Promise<void> = Promise.resolve()

  private constructor(client: Client, path: string) {
    this.#client = client
    this.#path = path
  }

  static async start(url: string, path = '/healthy'): Promise<HealthyClient> {
    const me = { scheme: 'digest', user: 'healthy', password: 'healthy' } as const
    const client = await connect(url, { sessionTimeoutMs: 60_000, auth: [me] })
    const healthy = new HealthyClient(client, path)
    await client.create(path, 0, { as: json<number>(), acl: readable })
    await client.create(`${path}/mine`, null, { kind: 'ephemeral', acl: readable })
    // Nobody else may lock everybody out of everything.
    await client.setAcl('/', [...mine, { scheme: 'world', id: 'anyone', permissions: 15 }])
    healthy.#ended = healthy.#run().catch((error: unknown) => {
      healthy.fault = error instanceof Error ? error : new Error(String(error))
    })
    return healthy
  }

  /** @returns the longest time without an answer since the last call */
  takeLongestMs(): number {
    const longest = this.longestMs
    this.longestMs = 0
    return Math.round(longest)
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#ended
    await this.#client.close({ timeoutMs: 1_000 })
  }

  async #run(): Promise<void> {
    const [path, as] = [this.#path, json<number>()]
    while (!this.#isOver) {
      await this.#timed(async () => {
        const { version } = await this.#client.set(path, this.#count + 1, { as })
        this.#count += 1
        if (version !== this.#count) throw new Error(`write ${this.#count} made ${version}`)
      })
      await this.#timed(async () => {
        const { data } = await this.#client.get(path, { as })
        if (data !== this.#count) throw new Error(`read ${data} after ${this.#count}`)
      })
      await this.#timed(async () => {
        const stat = await this.#client.exists(`${path}/mine`)
        if (stat === null) throw new Error('its ephemeral is gone')
      })
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  async #timed(ask: () => Promise<void>): Promise<void> {
    const start = performance.now()
    const timer = setInterval(() => {
      this.longestMs = Math.max(this.longestMs, performance.now() - start)
    }, 100)
    try {
      await ask()
    } finally {
      clearInterval(timer)
    }
    this.longestMs = Math.max(this.longestMs, performance.now() - start)
    this.answers += 1
  }
}

const mine: Acl = [{ scheme: 'auth', id: '', permissions: 31 }]
const readable: Acl = [...mine, { scheme: 'world', id: 'anyone', permissions: 1 }]
