import { Fifo } from '@conclave/protocol'
import type { Lane } from './lane.js'
import { LatencyRecorder } from './latencies.js'
import type { Load, LoadResult } from './load.js'
import { Timeline } from './timeline.js'

/**
 * Drives connections, each with a znode of its own. A write's answer must tell a later version than
 * any that was answered before the write was sent.
 */
export class Generator {
  readonly #lanes: readonly Lane[]
  readonly #load: Load
  readonly #latencies = new LatencyRecorder()
  readonly #operationsMax: number
  #startMs = 0
  #untilMs = 0
  #started = 0
  #operations = 0
  #inTime = 0
  #lastMs = 0
  #throttled = 0
  #unsent = 0
  #timeline: Timeline | null = null
  #onIdle: () => void = () => undefined

  constructor(lanes: readonly Lane[], load: Load) {
    this.#lanes = lanes
    this.#load = load
    this.#operationsMax = 'operations' in load.until ? load.until.operations : Infinity
  }

  async run(): Promise<LoadResult> {
    const { valueBytes, until, perSecond, intervalMs } = this.#load
    if (this.#load.operation !== 'ping') {
      await Promise.all(this.#lanes.map((lane) => lane.prepare(valueBytes)))
    }
    const cpu = process.cpuUsage()
    this.#startMs = performance.now()
    if (intervalMs !== undefined) this.#timeline = new Timeline(intervalMs, this.#startMs)
    this.#untilMs = 'seconds' in until ? this.#startMs + until.seconds * 1_000 : Infinity
    await (perSecond === null ? this.#closed() : this.#open(perSecond))
    const { user, system } = process.cpuUsage(cpu)
    const endMs = Math.min(this.#untilMs, this.#lastMs)
    return {
      perSecond: (this.#inTime * 1_000) / (endMs - this.#startMs),
      operations: this.#operations,
      throttled: this.#throttled,
      unsent: this.#unsent,
      intervals: this.#timeline?.intervals ?? [],
      latencies: this.#latencies.latencies,
      clientCpuMs: (user + system) / 1_000,
    }
  }

  /** Each answer makes room for the next operation. */
  #closed(): Promise<void> {
    const next = (lane: Lane): void => {
      const nowMs = performance.now()
      if (!this.#isOver(nowMs)) this.#start(lane, nowMs, () => next(lane))
    }
    for (const lane of this.#lanes) {
      for (let i = 0; i < this.#load.inFlight; i++) next(lane)
    }
    return this.#idle()
  }

  /** Operations come due by the clock, so a server that stalls is not asked less for it. */
  async #open(perSecond: number): Promise<void> {
    const due = this.#lanes.map(() => new Fifo<number>())
    const pump = (index: number): void => {
      const lane = this.#lanes[index] as Lane
      while (lane.inFlight < this.#load.inFlight) {
        const dueMs = due[index]?.shift()
        if (dueMs === undefined) return
        this.#start(lane, dueMs, () => pump(index))
      }
    }
    let called = 0
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const nowMs = Math.min(performance.now(), this.#untilMs)
        const dueNow = ((nowMs - this.#startMs) * perSecond) / 1_000
        for (; called < Math.min(dueNow, this.#operationsMax); called++) {
          due[called % due.length]?.push(this.#startMs + (called * 1_000) / perSecond)
        }
        for (const index of due.keys()) pump(index)
        if (nowMs < this.#untilMs && called < this.#operationsMax) return
        clearInterval(timer)
        resolve()
      }, tickMs)
    })
    this.#giveUp(due)
    await this.#idle()
  }

  /** What could not be sent in time was not fast: it counts with the time that it has waited. */
  #giveUp(due: readonly Fifo<number>[]): void {
    const nowMs = performance.now()
    if (nowMs < this.#untilMs) return
    for (const waiting of due) {
      for (let dueMs = waiting.shift(); dueMs !== undefined; dueMs = waiting.shift()) {
        this.#unsent += 1
        this.#latencies.record(nowMs - dueMs)
      }
    }
  }

  #start(lane: Lane, fromMs: number, then: () => void): void {
    this.#started += 1
    lane.inFlight += 1
    lane.call(this.#load, (isDone) => {
      this.#settled(isDone, fromMs)
      lane.inFlight -= 1
      then()
      if (this.#operations === this.#started) this.#onIdle()
    })
  }

  #settled(isDone: boolean, fromMs: number): void {
    const nowMs = performance.now()
    this.#operations += 1
    this.#lastMs = nowMs
    if (!isDone) {
      this.#throttled += 1
      this.#timeline?.throttled(nowMs)
      return
    }
    if (nowMs <= this.#untilMs) this.#inTime += 1
    this.#latencies.record(nowMs - fromMs)
    this.#timeline?.answered(nowMs, nowMs - fromMs)
  }

  #isOver(nowMs: number): boolean {
    return nowMs >= this.#untilMs || this.#started >= this.#operationsMax
  }

  #idle(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          const missing = this.#started - this.#operations
          reject(
            new Error(
              `${missing} times ${this.#load.operation} without an answer ${answerMsMax} ms later`,
            ),
          )
        },
        answerMsMax + Math.min(this.#untilMs - performance.now(), operationsMsMax),
      )
      this.#onIdle = () => {
        if (!this.#isOver(performance.now())) return
        clearTimeout(timer)
        resolve()
      }
      if (this.#operations === this.#started) this.#onIdle()
    })
  }
}

const tickMs = 1
/** After the end of the run. */
const answerMsMax = 60_000
/** For a run that has a number of operations and no end in time. */
const operationsMsMax = 1_200_000
