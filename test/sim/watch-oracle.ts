import type { Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { History, Operation, StreamRecord } from './history.js'
import type { Ledger } from './ledger.js'
import { Violation } from './violation.js'

/**
 * W1, W2, W4: a one-shot watch tells of the first change after it was set, once, and before
 * anything else shows its client that change.
 */
export const judgeWatches = (history: History, ledger: Ledger): void => {
  const changes = changesByPath(ledger)
  const replies = repliesByClient(history)
  for (const operation of history.operations) {
    const isSet = 'watch' in operation.op && operation.op.watch && operation.outcome === 'done'
    if (!isSet && operation.events.length === 0) continue
    const { client, path, zxid, events } = operation
    const zxids = events.map((event) => event.zxid).join()
    const told = `the watch of ${client} on ${path} since ${zxid} told of [${zxids}]`
    if (!isSet || events.length > 1) throw new Violation('W1', told)
    const key = operation.op.op === 'getChildren' ? `${path}/` : path
    const first = changes.get(key)?.find((each) => each > (zxid ?? 0))
    const [event] = events
    if (event === undefined) {
      const isWaiting = !operation.isWatchLost && !history.isForgotten(client)
      if (isWaiting && first !== undefined) throw new Violation('W2', `${told}, not of ${first}`)
      continue
    }
    const isLater = event.isRearmed && first !== undefined && event.zxid > first
    if (event.zxid !== first && !isLater) throw new Violation('W3', `${told}, not of ${first}`)
    const shown = replies.get(client)?.find((reply) => {
      const { settledAt } = reply
      return (
        settledAt > operation.settledAt && settledAt < event.at && (reply.zxid ?? 0) >= event.zxid
      )
    })
    if (shown === undefined) continue
    throw new Violation('W4', `${told}, after ${shown.op.op} of ${shown.path} showed ${shown.zxid}`)
  }
}

/** W5: a stream tells of every change after its start, each once and in order, or of a gap. */
export const judgeStreams = (history: History, ledger: Ledger): void => {
  const changes = ledger.committed.flatMap(changesOf)
  for (const stream of history.streams) judgeStream(stream, changes, history)
}

const judgeStream = (
  { client, items }: StreamRecord,
  changes: readonly Change[],
  history: History,
): void => {
  let next = 0
  let isOpen = false
  for (const item of items) {
    if (item.item === 'ended') return
    if (item.item === 'opened' && !isOpen) {
      isOpen = true
      next = after(changes, item.position.zxid)
    }
    if (item.item === 'gap') next = Math.max(next, after(changes, item.to))
    if (item.item !== 'event') continue
    const { type, path, zxid } = item.event
    const expected = changes[next++]
    const isRight = expected?.zxid === zxid && expected.path === path && expected.type === type
    if (isRight) continue
    const found = `${type} of ${path} at ${zxid}`
    throw new Violation('W5', `the stream of ${client} has ${found}, not ${wordsOf(expected)}`)
  }
  if (!isOpen || history.isForgotten(client) || next >= changes.length) return
  throw new Violation('W5', `the stream of ${client} lacks ${wordsOf(changes[next])}`)
}

interface Change {
  readonly zxid: Zxid
  readonly path: string
  readonly type: 'created' | 'deleted' | 'dataChanged'
}

const types = { create: 'created', delete: 'deleted', setData: 'dataChanged' } as const

const changesOf = ({ zxid, body }: Txn): readonly Change[] => {
  if (body.body !== 'write' && body.body !== 'closeSession') return []
  return body.changes.flatMap((change): readonly Change[] => {
    if (change.change === 'check' || change.change === 'setAcl') return []
    return [{ zxid, path: change.path, type: types[change.change] }]
  })
}

/** What fires a data watch under the path, what fires a child watch under the path and a slash. */
const changesByPath = (ledger: Ledger): ReadonlyMap<string, readonly Zxid[]> => {
  const changes = new Map<string, Zxid[]>()
  const add = (key: string, zxid: Zxid): void => {
    const known = changes.get(key)
    if (known === undefined) changes.set(key, [zxid])
    else known.push(zxid)
  }
  for (const { path, zxid, type } of ledger.committed.flatMap(changesOf)) {
    add(path, zxid)
    if (type === 'deleted') add(`${path}/`, zxid)
    if (type !== 'dataChanged') add(path.slice(0, path.lastIndexOf('/') + 1), zxid)
  }
  return changes
}

const repliesByClient = (history: History): ReadonlyMap<string, readonly Operation[]> => {
  const replies = new Map<string, Operation[]>()
  for (const operation of history.operations) {
    if (operation.outcome !== 'done') continue
    const known = replies.get(operation.client)
    if (known === undefined) replies.set(operation.client, [operation])
    else known.push(operation)
  }
  return replies
}

const after = (changes: readonly Change[], zxid: number): number => {
  const index = changes.findIndex((change) => change.zxid > zxid)
  return index < 0 ? changes.length : index
}

const wordsOf = (change: Change | undefined): string =>
  change === undefined ? 'anything' : `${change.type} of ${change.path} at ${change.zxid}`
