/** The runtime's clock as storage needs it; a test or the simulator puts its own here. */
export interface Timers {
  /** After the event loop has served what is waiting. */
  soon(task: () => void): void
  after(delayMs: number, task: () => void): void
  /** Monotonic. */
  nowMs(): number
}

export const nodeTimers: Timers = {
  soon(task) {
    setImmediate(task)
  },
  after(delayMs, task) {
    setTimeout(task, delayMs)
  },
  nowMs: () => performance.now(),
}

export const turn = (timers: Timers): Promise<void> =>
  new Promise((resolve) => timers.soon(() => resolve()))
