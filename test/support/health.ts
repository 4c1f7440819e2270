import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { HealthReport } from './healthy-child.js'

/** What the healthy client in its own process has come to. */
export class Health {
  answers = 0
  /** What went wrong with it; null while nothing has. */
  fault: string | null = null
  #longestMs = 0
  #noiseMs = 0
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', ({ answers, longestMs, lagMs, diskMs, fault }: HealthReport) => {
      this.answers = answers
      this.fault ??= fault
      this.#longestMs = Math.max(this.#longestMs, longestMs)
      this.#noiseMs = Math.max(this.#noiseMs, lagMs + diskMs)
      this.#look()
    })
    child.once('exit', (code, signal) => {
      this.fault ??= `the healthy client has ended: ${code ?? signal}`
      this.#look()
    })
  }

  /** Resolves when it has had its first answers. */
  static async start(url: string): Promise<Health> {
    const script = fileURLToPath(new URL('./healthy-child.js', import.meta.url))
    const health = new Health(fork(script, { execArgv: [] }))
    health.#child.send({ url })
    await health.progress(10)
    return health
  }

  /** Resolves after so many more answers; rejects when one was wrong. */
  progress(answers: number): Promise<void> {
    const goal = this.answers + answers
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.fault === null && this.answers < goal) return
        this.#waiting.delete(look)
        if (this.fault === null) resolve()
        else reject(new Error(this.fault))
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** @returns the longest time that an answer took since the last call, in milliseconds */
  takeLongestMs(): number {
    const longest = this.#longestMs
    this.#longestMs = 0
    return longest
  }

  /** @returns how long the machine kept that client waiting for itself and the disk since then */
  takeNoiseMs(): number {
    const noise = this.#noiseMs
    this.#noiseMs = 0
    return noise
  }

  async stop(): Promise<void> {
    this.fault ??= 'stopped'
    if (!this.#child.connected) return
    const gone = once(this.#child, 'exit')
    this.#child.disconnect()
    await gone
  }

  #look(): void {
    for (const look of this.#waiting) look()
  }
}
