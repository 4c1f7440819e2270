import { linkSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { LogPosition } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { inspectLog, type LogItem, nodeFiles } from '#server/runtime/storage/index.js'
import { segmentName, segmentSequence } from '#server/runtime/storage/segment.js'
import { readSegmentHeader } from '#server/runtime/storage/segment-reader.js'
import type { SegmentKeeper } from './segment-keeper.js'

export interface ReplicaLogs {
  /** By zxid: the one history that all logs are of. */
  readonly txns: ReadonlyMap<number, Txn>
  readonly faults: readonly string[]
  /** How many records leaders have made their learners cut away, over all logs. */
  readonly cut: number
  /** How often a server has begun a log anew where a snapshot ends. */
  readonly begunAnew: number
  /** How many segments were purged, over all logs as they are in the end. */
  readonly purged: number
}

/**
 * Reads the logs of servers that have ended and had applied the same, with all that was ever in
 * them: what one of them has called committed must be the same in all.
 */
export const readReplicaLogs = async (keepers: readonly SegmentKeeper[]): Promise<ReplicaLogs> => {
  const logs: ReplicaLog[] = []
  for (const keeper of keepers) logs.push(await readLog(keeper))
  const history: Log = new Map()
  const faults = logs.flatMap((log) => log.faults)
  for (const { committed } of logs) faults.push(...merge(history, committed))
  const newest = Math.max(0, ...history.keys())
  for (const { first, committed } of logs) {
    for (let zxid = first; zxid <= newest; zxid++) {
      if (!committed.has(zxid)) faults.push(`a server has no txn ${zxid}`)
    }
  }
  const sum = (of: (log: ReplicaLog) => number): number =>
    logs.reduce((all, log) => all + of(log), 0)
  return {
    txns: new Map([...history].map(([zxid, { txn }]) => [zxid, txn])),
    faults,
    cut: sum(({ cut }) => cut),
    begunAnew: sum(({ begunAnew }) => begunAnew),
    purged: sum(({ purged }) => purged),
  }
}

type Log = Map<number, { readonly position: LogPosition; readonly txn: Txn }>

const merge = (history: Log, committed: Log): readonly string[] => {
  const faults: string[] = []
  for (const [zxid, record] of committed) {
    const known = history.get(zxid)
    if (known === undefined) history.set(zxid, record)
    else if (!isDeepStrictEqual(known, record)) {
      faults.push(`txn ${zxid} is ${JSON.stringify(record)}, not ${JSON.stringify(known)}`)
    }
  }
  return faults
}

const readLog = async (keeper: SegmentKeeper): Promise<ReplicaLog> => {
  const log = new ReplicaLog()
  for (const life of keeper.lives) {
    let newest = 0
    for (const [generation, folder] of await byGeneration(life)) {
      newest = generation
      log.begin()
      for await (const item of inspectLog(nodeFiles, folder)) log.take(item)
    }
    log.begunAnew += newest
  }
  const [oldest] = keeper.present
  log.end()
  log.purged = (segmentSequence(oldest ?? '') ?? 1) - 1
  return log
}

/** What one server has had in its log. */
class ReplicaLog {
  /** What it has called committed. */
  readonly committed: Log = new Map()
  readonly faults: string[] = []
  /** The lowest zxid of its log since that was last begun. */
  first = 1
  cut = 0
  begunAnew = 0
  purged = 0
  /** What it has not called committed, or not yet. */
  readonly #tail: Log = new Map()
  #commit = 0
  #sequence = 0

  /** With nothing, or where a snapshot ends. */
  begin(): void {
    // Some of it may have been cut in the moment before, in a segment that nobody has seen.
    this.#tail.clear()
    this.#commit = 0
    this.#sequence = 0
  }

  take(item: LogItem): void {
    if (item.item === 'segment') this.#segment(item)
    else if (item.item === 'batch' || item.item === 'endMark') this.#advance(item.commit)
    else if (item.item === 'damage') {
      this.faults.push(`${item.file} at ${item.offset}: ${item.reason}`)
    } else if (item.item === 'record') {
      this.#tail.set(item.txn.zxid, { position: item.position, txn: item.txn })
      this.#advance(this.#commit)
    }
  }

  /** All have applied all that they have: the commit mark of the last writes is not written yet. */
  end(): void {
    this.#advance(Infinity)
  }

  #segment({ file, sequence, firstZxid, commit }: Extract<LogItem, { item: 'segment' }>): void {
    if (sequence !== this.#sequence + 1) {
      this.faults.push(`${file}: segment ${sequence} comes behind ${this.#sequence}`)
    }
    if (sequence === 1) this.first = firstZxid
    this.#sequence = sequence
    for (let zxid: number = firstZxid; this.#tail.delete(zxid); zxid++) this.cut += 1
    if (firstZxid <= this.#commit) {
      this.faults.push(`${file}: begins at ${firstZxid}, and ${this.#commit} was committed`)
    }
    this.#advance(commit)
  }

  #advance(commit: number): void {
    this.#commit = Math.max(this.#commit, commit)
    for (const [zxid, record] of this.#tail) {
      if (zxid > this.#commit) return
      this.#tail.delete(zxid)
      this.faults.push(...merge(this.committed, new Map([[zxid, record]])))
    }
  }
}

/** Gives what was kept its names back, in one directory for each generation. */
const byGeneration = async (life: string): Promise<readonly (readonly [number, string])[]> => {
  const generations = new Map<number, string>()
  for (const name of readdirSync(life)) {
    const kept = join(life, name)
    const header = await readSegmentHeader(nodeFiles, kept)
    if (typeof header === 'string') throw new Error(`${kept}: ${header}`)
    const { generation, sequence } = header
    const folder = join(life, `generation-${generation}`)
    if (!generations.has(generation)) mkdirSync(folder)
    generations.set(generation, folder)
    linkSync(kept, join(folder, segmentName(sequence)))
  }
  return [...generations].toSorted(([a], [b]) => a - b)
}
