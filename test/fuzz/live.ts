import { loadavg } from 'node:os'
import { connect } from '#client/index.js'
import { Health } from '../support/health.js'
import { ObservedServer } from '../support/observed-server.js'
import { Attack, type Campaign } from './attackers.js'
import { Dice } from './dice.js'

/** A healthy client that waits longer for an answer has been disturbed. */
export const stallMsMax = 1_000
/** What the server may hold more than before, when all attackers have gone. */
const filesLeftMax = 8
const settleMs = 20_000
const attacksAtOnce = 8
const settleEveryMs = 30_000
/** What a round may still grow in its second half. */
const growthMiBMax = 64

export interface LiveReport {
  readonly attacks: number
  readonly signatures: ReadonlySet<string>
  readonly longestMs: number
  readonly rssMiB: readonly number[]
  readonly faults: readonly string[]
}

/**
 * Attacks a real server with a real disk for a while, and looks after each pause whether it is as
 * it was. What it does follows from the seed but for what the network makes of it.
 */
export class LiveFuzzing implements Campaign {
  readonly corpus: Buffer[] = []
  sessions: { nonce: Uint8Array; sessionId: number; attach: number }[] = []
  readonly #seed: number
  readonly #signatures = new Set<string>()
  readonly #faults: string[] = []
  readonly #rssMiB: number[] = []
  readonly #running = new Map<number, Attack>()
  #server: ObservedServer | null = null
  #attacks = 0
  #longestMs = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  get port(): number {
    return this.#server?.port ?? 0
  }

  get report(): LiveReport {
    const [attacks, signatures, longestMs] = [this.#attacks, this.#signatures, this.#longestMs]
    return { attacks, signatures, longestMs, rssMiB: this.#rssMiB, faults: this.#faults }
  }

  saw = (signature: string): boolean => {
    if (this.#signatures.has(signature)) return false
    this.#signatures.add(signature)
    return true
  }

  failed = (error: Error): void => this.#fault(error.message)

  /** A server of its own from start to end; @returns when the time is over or something is wrong */
  async round(durationMs: number, onSettled: (report: LiveReport) => void): Promise<void> {
    const server = await ObservedServer.start(['--log-level', 'warn'])
    this.#server = server
    this.sessions = []
    const health = await Health.start(server.url)
    try {
      const files = server.openFiles
      const from = this.#rssMiB.length
      const endMs = performance.now() + durationMs
      while (performance.now() < endMs && this.#faults.length === 0) {
        await this.#attackUntil(Math.min(endMs, performance.now() + settleEveryMs), health)
        await this.#settle(server, health, files)
        onSettled(this.report)
      }
      this.#judgeGrowth(this.#rssMiB.slice(from))
    } finally {
      await health.stop()
      const { exit } = await server.stop()
      if (exit !== '0') this.#fault(`the server ended with ${exit}`)
      this.#server = null
    }
  }

  async #attackUntil(endMs: number, health: Health): Promise<void> {
    const one = async (): Promise<void> => {
      while (performance.now() < endMs && this.#faults.length === 0) {
        const number = ++this.#attacks
        const attack = new Attack(this, Dice.of(this.#seed, `attack ${number}`))
        this.#running.set(number, attack)
        await attack.run().catch((error: unknown) => this.failed(error as Error))
        this.#watch(health)
        this.#running.delete(number)
      }
    }
    await Promise.all(Array.from({ length: attacksAtOnce }, one))
  }

  #watch(health: Health): void {
    if (health.fault !== null) this.#fault(`the healthy client: ${health.fault}`)
    if (this.#server?.exit !== null) this.#fault(`the server has ended: ${this.#server?.exit}`)
    const longestMs = health.takeLongestMs()
    // What the machine does to everybody is nobody's fault.
    const waits = this.#server?.waits
    const noiseMs = Math.round(health.takeNoiseMs() + (waits?.within(longestMs) ?? 0))
    waits?.look()
    this.#longestMs = Math.max(this.#longestMs, longestMs - noiseMs)
    if (longestMs - noiseMs > stallMsMax) {
      this.#fault(`an answer took ${longestMs} ms (${noiseMs} for others, load ${loadavg()[0]})`)
    }
  }

  async #settle(server: ObservedServer, health: Health, files: number): Promise<void> {
    const endMs = performance.now() + settleMs
    while (server.exit === null && server.openFiles > files + filesLeftMax) {
      if (performance.now() > endMs) {
        this.#fault(`${server.openFiles - files} files are left open`)
        break
      }
      await Promise.race([health.progress(20), pause(1_000)])
    }
    if (server.exit !== null) return this.#watch(health)
    await tidyUp(server.url).catch((error: unknown) => this.failed(error as Error))
    await Promise.race([health.progress(20), pause(5_000)])
    this.#watch(health)
    this.#rssMiB.push(server.rssMiB)
    const bad = server
      .newLog()
      .split('\n')
      .find((line) => /"level":(?:50|60)|uncaught/i.test(line))
    if (bad !== undefined) this.#fault(bad)
  }

  /** A cache fills and stays; a leak goes on. */
  #judgeGrowth(rss: readonly number[]): void {
    if (rss.length < 8) return
    const quarter = rss.length >> 2
    const middle = median(rss.slice(quarter, 2 * quarter))
    const growth = median(rss.slice(-quarter)) - middle
    if (growth > growthMiBMax && growth > middle / 4)
      this.#fault(`RSS grows: ${rss.join(', ')} MiB`)
  }

  #fault(what: string): void {
    if (this.#faults.length > 0) return
    const sent = [...this.#running].map(
      ([number, { sent }]) => `attack ${number} of seed ${this.#seed}:\n  ${sent.join('\n  ')}`,
    )
    this.#faults.push(`${what}\n${sent.join('\n')}`)
  }
}

/** Takes away what attackers have left in the tree, as far as anybody may. */
const tidyUp = async (url: string): Promise<void> => {
  const client = await connect(url, { connectTimeoutMs: 10_000 })
  try {
    for await (const name of client.list('/')) {
      if (name === 'healthy') continue
      await client.deleteRecursive(`/${name}`).catch(() => undefined)
    }
  } finally {
    await client.close({ timeoutMs: 1_000 })
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
