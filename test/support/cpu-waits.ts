import { readFileSync } from 'node:fs'

/** How long another process could have run and had no processor: it is not to blame for that. */
export class CpuWaits {
  readonly #account: string
  readonly #looks: { readonly atMs: number; readonly waitedMs: number }[] = []

  constructor(pid: number) {
    this.#account = `/proc/${pid}/schedstat`
    this.look()
  }

  /** To be called now and then: waits are known from one look to another. */
  look(): void {
    const atMs = performance.now()
    this.#looks.push({ atMs, waitedMs: this.#waitedMs() })
    if (this.#looks.length > looksMax) this.#looks.shift()
  }

  /** @returns milliseconds of waiting within the last `ms`, and since the look before that */
  within(ms: number): number {
    const sinceMs = performance.now() - ms
    const start = this.#looks.findLast(({ atMs }) => atMs <= sinceMs) ?? this.#looks[0]
    return this.#waitedMs() - (start?.waitedMs ?? 0)
  }

  /** The second number that the scheduler keeps of its main thread; 0 when it has ended. */
  #waitedMs(): number {
    try {
      return Number(readFileSync(this.#account, 'latin1').split(' ')[1]) / 1e6
    } catch {
      return 0
    }
  }
}

const looksMax = 1_000
