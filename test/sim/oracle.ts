import type { OpResult, Zxid } from '@conclave/protocol'
import type { History, Operation } from './history.js'
import { hotOperations } from './hot-paths.js'
import type { Ledger } from './ledger.js'
import { judgeLinearizability, type LinearizabilityReport } from './linearizability.js'
import { judgeStreams, judgeWatches } from './watch-oracle.js'
import { Violation } from './violation.js'

/**
 * The ground truth: the committed log says what happened, and every answer that a client got must
 * agree with it.
 */
export const judge = (history: History, ledger: Ledger): LinearizabilityReport => {
  const written = tagsOf(ledger)
  const values = valuesOf(ledger)
  for (const operation of history.operations) {
    if (operation.tag !== '') judgeWrite(operation, written.get(operation.tag) ?? [])
    if (operation.op.op === 'getData') judgeRead(operation, values)
  }
  judgeRealTime(history)
  judgeWatches(history, ledger)
  judgeStreams(history, ledger)
  const wasLogged = (tag: string): boolean => written.has(tag)
  return judgeLinearizability(hotOperations(history), wasLogged)
}

/**
 * Exactly once: done is once in the log, at the zxid that its stat tells; refused is not there;
 * unknown is there at most once.
 */
const judgeWrite = (operation: Operation, zxids: readonly Zxid[]): void => {
  const { tag, outcome, result } = operation
  const state = `${operation.op.op} is ${outcome ?? 'unanswered'}`
  const found = `${tag} (${state}) is logged at [${zxids.join()}]`
  if (zxids.length > 1) throw new Violation('C3', found)
  if (outcome === 'done') {
    const mzxid = mzxidOf(result as OpResult<'setData'> | OpResult<'multi'>)
    if (zxids[0] !== mzxid) throw new Violation('Z4', `${found}, not ${mzxid}`)
  }
  if (outcome === 'refused' && zxids.length > 0) throw new Violation('C3', found)
}

const mzxidOf = (result: OpResult<'setData'> | OpResult<'multi'>): Zxid | undefined =>
  'stat' in result
    ? result.stat.mzxid
    : result.results.find(({ stat }) => stat !== null)?.stat?.mzxid

/** R4: a read shows the value of its zxid. */
const judgeRead = (
  { outcome, zxid, path, result, client }: Operation,
  values: ReadonlyMap<string, readonly Value[]>,
): void => {
  if (outcome !== 'done' || zxid === null) return
  const read = result as { data: Uint8Array | null; stat: { mzxid: Zxid } }
  const value = values.get(path)?.findLast((each) => each.zxid <= zxid)
  const isTrue = value !== undefined && value.tag === textOf(read.data)
  if (isTrue && value.zxid === read.stat.mzxid) return
  const found = `${textOf(read.data)} of ${read.stat.mzxid}`
  const expected = value === undefined ? 'nothing' : `${value.tag} of ${value.zxid}`
  throw new Violation('R4', `${client} reads ${found} at ${path} as of ${zxid}, not ${expected}`)
}

/**
 * R2, R3: what was answered before a call was made is seen by it: zxids never fall on one client,
 * and a linearizable read sees every write that was acknowledged to anybody.
 */
const judgeRealTime = (history: History): void => {
  const acknowledged = history.operations
    .filter(({ outcome, tag }) => outcome === 'done' && tag !== '')
    .sort((a, b) => (a.settledMs ?? 0) - (b.settledMs ?? 0))
  const highest: { atMs: number; zxid: number }[] = []
  for (const { settledMs, zxid } of acknowledged) {
    const last = highest.at(-1)?.zxid ?? 0
    highest.push({ atMs: settledMs ?? 0, zxid: Math.max(last, zxid ?? 0) })
  }
  const shown = new Map<string, { atMs: number; zxid: number }>()
  for (const operation of history.operations) {
    const { outcome, zxid, calledMs, client, isLinearizable, tag } = operation
    if (outcome !== 'done' || zxid === null) continue
    const isOrdered = isLinearizable || tag !== ''
    const seen = isOrdered ? (lastBefore(highest, calledMs)?.zxid ?? 0) : 0
    if (zxid < seen) {
      throw new Violation('R3', `${client} is answered at ${zxid}, after ${seen} was acknowledged`)
    }
    const before = shown.get(client)
    if (before !== undefined && before.atMs < calledMs && zxid < before.zxid) {
      throw new Violation('R2', `${client} is answered at ${zxid} after ${before.zxid}`)
    }
    const settledMs = operation.settledMs ?? 0
    if (before === undefined || zxid > before.zxid) shown.set(client, { atMs: settledMs, zxid })
  }
}

const lastBefore = <T extends { readonly atMs: number }>(
  sorted: readonly T[],
  atMs: number,
): T | undefined => {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as T).atMs < atMs) low = middle + 1
    else high = middle
  }
  return sorted[low - 1]
}

interface Value {
  readonly zxid: Zxid
  /** null once the znode is gone. */
  readonly tag: string | null
}

const tagsOf = (ledger: Ledger): ReadonlyMap<string, readonly Zxid[]> => {
  const tags = new Map<string, Zxid[]>()
  for (const { zxid, body } of ledger.committed) {
    if (body.body !== 'write') continue
    for (const change of body.changes) {
      if (change.change !== 'create' && change.change !== 'setData') continue
      const tag = textOf(change.data)
      tags.set(tag, [...(tags.get(tag) ?? []), zxid])
    }
  }
  return tags
}

const valuesOf = (ledger: Ledger): ReadonlyMap<string, readonly Value[]> => {
  const values = new Map<string, Value[]>()
  for (const { zxid, body } of ledger.committed) {
    if (body.body !== 'write' && body.body !== 'closeSession') continue
    for (const change of body.changes) {
      if (change.change === 'check' || change.change === 'setAcl') continue
      const tag = change.change === 'delete' ? null : textOf(change.data)
      const known = values.get(change.path)
      if (known === undefined) values.set(change.path, [{ zxid, tag }])
      else known.push({ zxid, tag })
    }
  }
  return values
}

const textOf = (data: Uint8Array | null): string => new TextDecoder().decode(data ?? undefined)
