import { isDeepStrictEqual } from 'node:util'
import type { LogPosition } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { inspectLog, nodeFiles } from '#server/runtime/storage/index.js'

export interface ReplicaLogs {
  /** By zxid: the one history that all logs hold. */
  readonly txns: ReadonlyMap<number, Txn>
  readonly faults: readonly string[]
  /** How many records leaders have made their learners cut away, over all logs. */
  readonly cut: number
}

/** Reads the logs of servers that have ended and had applied the same; each must be all of it. */
export const readReplicaLogs = async (directories: readonly string[]): Promise<ReplicaLogs> => {
  const faults: string[] = []
  let history: Log = new Map()
  let cut = 0
  for (const [i, directory] of directories.entries()) {
    const read = await readLog(directory, faults)
    cut += read.cut
    if (i === 0) history = read.log
    else faults.push(...differences(directory, history, read.log))
  }
  const txns = new Map([...history].map(([zxid, { txn }]) => [zxid, txn]))
  return { txns, faults, cut }
}

type Log = Map<number, { readonly position: LogPosition; readonly txn: Txn }>

const readLog = async (
  directory: string,
  faults: string[],
): Promise<{ readonly log: Log; readonly cut: number }> => {
  const log: Log = new Map()
  let cut = 0
  for await (const item of inspectLog(nodeFiles, directory)) {
    if (item.item === 'segment') {
      for (let zxid = item.firstZxid; log.delete(zxid); zxid++) cut += 1
    } else if (item.item === 'record') {
      log.set(item.txn.zxid, { position: item.position, txn: item.txn })
    } else if (item.item === 'damage') {
      faults.push(`${item.file} at ${item.offset}: ${item.reason}`)
    }
  }
  return { log, cut }
}

const differences = (directory: string, one: Log, other: Log): readonly string[] =>
  [...new Set([...one.keys(), ...other.keys()])]
    .filter((zxid) => !isDeepStrictEqual(one.get(zxid), other.get(zxid)))
    .map((zxid) => `${directory}: txn ${zxid} is ${shown(other, zxid)}, not ${shown(one, zxid)}`)

const shown = (log: Log, zxid: number): string => JSON.stringify(log.get(zxid) ?? null)
