/** The one clock and the one queue of a simulated world. Events of one moment keep their order. */
export class Schedule {
  readonly #heap: Event[] = []
  #nowMs = 0
  #events = 0

  get nowMs(): number {
    return this.#nowMs
  }

  /** How many events were ever scheduled. */
  get events(): number {
    return this.#events
  }

  after(delayMs: number, task: () => void): void {
    this.at(this.#nowMs + delayMs, task)
  }

  at(atMs: number, task: () => void): void {
    const event = { atMs: Math.max(atMs, this.#nowMs), order: this.#events++, task }
    this.#heap.push(event)
    this.#rise(this.#heap.length - 1)
  }

  /**
   * Runs the next event, if it is due by then.
   * @returns false when there is none; the clock then stands at `untilMs`
   */
  runNext(untilMs: number): boolean {
    const next = this.#heap[0]
    if (next === undefined || next.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs)
      return false
    }
    this.#removeFirst()
    this.#nowMs = next.atMs
    next.task()
    return true
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink()
  }

  #rise(from: number): void {
    const heap = this.#heap
    for (let i = from; i > 0;) {
      const parent = (i - 1) >>> 1
      if (!isBefore(heap[i] as Event, heap[parent] as Event)) return
      this.#swap(i, parent)
      i = parent
    }
  }

  #sink(): void {
    const heap = this.#heap
    for (let i = 0; ;) {
      const left = 2 * i + 1
      if (left >= heap.length) return
      const right = left + 1
      const isRight = right < heap.length && isBefore(heap[right] as Event, heap[left] as Event)
      const child = isRight ? right : left
      if (!isBefore(heap[child] as Event, heap[i] as Event)) return
      this.#swap(i, child)
      i = child
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    ;[heap[a], heap[b]] = [heap[b] as Event, heap[a] as Event]
  }
}

interface Event {
  readonly atMs: number
  readonly order: number
  readonly task: () => void
}

const isBefore = (a: Event, b: Event): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
