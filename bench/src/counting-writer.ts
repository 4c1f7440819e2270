import { type Client, connect } from '@conclave/client'

/** What became of the calls of some writers. */
export interface Outcome {
  readonly calls: number
  /** Promises that were rejected, each with its reason. */
  readonly rejected: readonly string[]
  /** Calls that were applied twice, or never, or out of order. */
  readonly miscounted: number
  readonly sessionsLost: number
}

/**
 * One client that sets one znode again and again. The znode's version counts what was applied, so
 * the n-th answer must tell version n, and after n calls n must be there.
 */
export class CountingWriter {
  readonly #client: Client
  readonly #path: string
  readonly #sessionId: number
  readonly #rejected: string[] = []
  #calls = 0
  #answered = 0
  #miscounted = 0
  #lastMs = performance.now()
  #longestGapMs = 0
  #onAnswer: () => void = () => undefined

  private constructor(client: Client, path: string) {
    this.#client = client
    this.#path = path
    this.#sessionId = client.sessionId
  }

  /** @param url of all servers */
  static async open(url: string, name: string): Promise<CountingWriter> {
    const client = await connect(url)
    const path = `/${name}`
    await client.create(path, payload)
    await client.create(`${path}-lives`, null, { kind: 'ephemeral' })
    return new CountingWriter(client, path)
  }

  /** Null while it is attached to none. */
  get serverId(): number | null {
    return this.#client.server?.serverId ?? null
  }

  get inFlight(): number {
    return this.#calls - this.#answered
  }

  get answered(): number {
    return this.#answered
  }

  call(): void {
    this.#calls += 1
    this.#client.set(this.#path, payload).then(
      ({ version }) => this.#settled(version),
      (error: unknown) => {
        this.#rejected.push(String(error))
        this.#settled(null)
      },
    )
  }

  /** As many calls in flight as that until the time is over. */
  async saturate(inFlight: number, untilMs: number): Promise<void> {
    const fill = (): void => {
      while (this.inFlight < inFlight && performance.now() < untilMs) this.call()
    }
    this.#onAnswer = fill
    fill()
    await this.settle()
  }

  async settle(): Promise<void> {
    const more = this.#onAnswer
    await new Promise<void>((resolve) => {
      this.#onAnswer = () => {
        more()
        if (this.inFlight === 0) resolve()
      }
      this.#onAnswer()
    })
    this.#onAnswer = () => undefined
  }

  /** Waits for an answer. @returns the longest time without one since this was last asked */
  async takeGapMs(): Promise<number> {
    const before = this.#onAnswer
    await new Promise<void>((resolve) => {
      this.#onAnswer = resolve
    })
    this.#onAnswer = before
    const gapMs = this.#longestGapMs
    this.#longestGapMs = 0
    return gapMs
  }

  /** Waits for all calls, compares what they were told with what is there, and closes. */
  async finish(): Promise<Outcome> {
    await this.settle()
    const version = (await this.#client.exists(this.#path))?.version ?? 0
    const owner = (await this.#client.exists(`${this.#path}-lives`))?.ephemeralOwner
    const isSame = owner === this.#sessionId && this.#client.sessionId === this.#sessionId
    await this.#client.close()
    return {
      calls: this.#calls,
      rejected: this.#rejected,
      miscounted: this.#miscounted + Math.abs(version - this.#calls),
      sessionsLost: isSame ? 0 : 1,
    }
  }

  #settled(version: number | null): void {
    this.#answered += 1
    if (version !== null && version !== this.#answered) this.#miscounted += 1
    const nowMs = performance.now()
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    this.#onAnswer()
  }
}

export const sumOf = (outcomes: readonly Outcome[]): Outcome => ({
  calls: outcomes.reduce((sum, { calls }) => sum + calls, 0),
  rejected: outcomes.flatMap(({ rejected }) => rejected),
  miscounted: outcomes.reduce((sum, { miscounted }) => sum + miscounted, 0),
  sessionsLost: outcomes.reduce((sum, { sessionsLost }) => sum + sessionsLost, 0),
})

const payload = Buffer.alloc(100, 'conclave ')
