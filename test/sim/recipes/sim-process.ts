/** A process that can stand still and be killed: what happens to it meanwhile waits, in order. */
export class SimProcess {
  readonly #onGoOn = new Set<() => void>()
  readonly #ran: () => void
  #waiting: (() => void)[] | null = null
  #isDead = false

  /** @param ran is told whenever something of it ran */
  constructor(ran: () => void) {
    this.#ran = ran
  }

  get isDead(): boolean {
    return this.#isDead
  }

  enter(task: () => void): void {
    if (this.#isDead) return
    if (this.#waiting !== null) return void this.#waiting.push(task)
    task()
    this.#ran()
  }

  kill(): void {
    this.#isDead = true
  }

  /** SIGSTOP. */
  pause(): void {
    this.#waiting ??= []
  }

  goOn(): void {
    if (this.#waiting === null) return
    const waiting = this.#waiting
    this.#waiting = null
    for (const act of this.#onGoOn) this.enter(act)
    for (const task of waiting) this.enter(task)
  }

  /**
   * Acts on the first step after each pause, before anything that came meanwhile is heard.
   *
   * @returns stops it
   */
  onGoOn(act: () => void): () => void {
    this.#onGoOn.add(act)
    return () => this.#onGoOn.delete(act)
  }
}
