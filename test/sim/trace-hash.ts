/** A hash over all that happened: two runs of one seed must agree. */
export class TraceHash {
  #hash = 0x811c9dc5
  readonly #log: ((line: string) => void) | null
  readonly #nowMs: () => number

  constructor(nowMs: () => number, log: ((line: string) => void) | null) {
    this.#nowMs = nowMs
    this.#log = log
  }

  get value(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  add(what: string, ...values: readonly (string | number)[]): void {
    const line = `${this.#nowMs().toFixed(3)} ${what} ${values.join(' ')}`
    for (let i = 0; i < line.length; i++) {
      this.#hash = Math.imul(this.#hash ^ line.charCodeAt(i), 0x01000193)
    }
    this.#log?.(line)
  }
}
