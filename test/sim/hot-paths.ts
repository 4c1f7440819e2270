import type { Op } from '@conclave/protocol'
import { bytesOf, create, getData, remove, setData } from '../support/replica-kit.js'
import { type History, newOperation, type Operation } from './history.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'
import type { SimClient } from './sim-client.js'

/**
 * Processes that all work on the same few znodes, each with one operation at a time, all of them
 * linearizable. After some operations they move on to new znodes, so that each piece of history
 * stays short enough to be checked without trusting zxids.
 */
export class HotPaths {
  readonly #schedule: Schedule
  readonly #thinkMsMean: number
  #arena = 1
  #asked = 0
  #isOver = false

  constructor(schedule: Schedule, thinkMsMean: number) {
    this.#schedule = schedule
    this.#thinkMsMean = thinkMsMean
  }

  end(): void {
    this.#isOver = true
  }

  /** Starts a process that asks through this client as long as it lives. */
  start(client: SimClient, name: string, random: Random): void {
    this.#askLater(client, name, random, null)
  }

  #askLater(client: SimClient, name: string, random: Random, last: Operation | null): void {
    this.#schedule.after(random.exponential(this.#thinkMsMean), () => {
      if (this.#isOver || !client.isAlive) return
      const isFree = last === null || last.settledMs !== null
      const next = isFree ? this.#ask(client, name, random) : last
      this.#askLater(client, name, random, next)
    })
  }

  #ask(client: SimClient, name: string, random: Random): Operation {
    this.#asked += 1
    if (this.#asked % operationsPerArena === 0) this.#arena += 1
    const root = `/hot-${this.#arena}`
    const path = this.#arena % 2 === 0 ? root : random.pick([root, `${root}/a`, `${root}/b`])
    const tag = `${name}!${this.#asked}`
    const op = drawOp(random, { root, path, tag, isReader: client.isReader })
    const isTagged = 'data' in op || op.op === 'multi'
    const about = { client: client.name, op, path, tag: isTagged ? tag : '', isHot: true }
    const operation = newOperation(about)
    client.call(op, operation)
    return operation
  }
}

/** What of a history the processes of {@link HotPaths} did. */
export const hotOperations = (history: History): readonly Operation[] =>
  history.operations.filter(({ isHot }) => isHot)

interface Sketch {
  readonly root: string
  readonly path: string
  readonly tag: string
  readonly isReader: boolean
}

const drawOp = (random: Random, { root, path, tag, isReader }: Sketch): Op => {
  const data = bytesOf(tag)
  const version = random.chance(0.3) ? random.below(4) : -1
  const linearizable = true
  const dice = random.between(isReader ? 0.6 : 0, 1)
  if (dice < 0.15) return create(path, { data })
  if (dice < 0.2 && path !== root)
    return create(`${root}/s-`, { data, kind: 'persistentSequential' })
  if (dice < 0.45) return setData(path, data, version)
  if (dice < 0.52) return remove(path, version)
  if (dice < 0.6) {
    const then = [
      { op: 'check', path: root, version },
      { op: 'setData', path, data, version: -1 },
    ] as const
    return { op: 'multi', fences: [], compares: [], then, else: [] }
  }
  if (dice < 0.85) return { ...getData(path), linearizable }
  if (dice < 0.9) return { op: 'exists', path, watch: false, linearizable }
  if (dice < 0.95) return { op: 'check', path, version, linearizable }
  const page = { cursor: null, limit: 1_000, withStat: false }
  return { op: 'getChildren', path: root, watch: false, linearizable, ...page }
}

const operationsPerArena = 150
