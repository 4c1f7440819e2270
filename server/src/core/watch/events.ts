import {
  type Acl,
  type ChangeType,
  type EventDetail,
  parentPath,
  type WatchKind,
  type Zxid,
} from '@conclave/protocol'
import type { Change, ChangeOf, Txn } from '@conclave/protocol/peer'
import { assertNever } from '../assert.js'

/** One thing that a txn did to one znode, as watchers see it. */
export interface TreeEvent {
  readonly type: ChangeType
  readonly path: string
  /** Its number in the txn. */
  readonly index: number
  /** The one-shot watches it triggers. */
  readonly kinds: readonly WatchKind[]
  /** In force at the event; judges who may see it. */
  readonly acl: Acl | null
  /** null for childrenChanged. */
  readonly detail: EventDetail | null
}

/**
 * The events of a txn, in the order in which watchers get them. They follow from the txn alone:
 * that is why history and the log are enough to resume a stream.
 */
export const eventsOf = (txn: Txn): readonly TreeEvent[] => {
  const { body } = txn
  if (body.body !== 'write' && body.body !== 'closeSession') return []
  const events: TreeEvent[] = []
  for (const change of body.changes) pushEvents(events, txn, change)
  return events
}

const pushEvents = (events: TreeEvent[], txn: Txn, change: Change): void => {
  switch (change.change) {
    case 'create':
      push(events, 'created', change, dataOnly, createDetail(txn, change))
      pushParent(events, change)
      return
    case 'delete':
      push(events, 'deleted', change, dataAndChild, deleteDetail(change))
      pushParent(events, change)
      return
    case 'setData':
      push(events, 'dataChanged', change, dataOnly, setDetail(txn, change))
      return
    case 'setAcl':
    case 'check':
      return
    default:
      assertNever(change)
  }
}

const push = (
  events: TreeEvent[],
  type: ChangeType,
  change: { readonly path: string; readonly acl: Acl | null },
  kinds: readonly WatchKind[],
  detail: EventDetail,
): void => {
  events.push({ type, path: change.path, index: events.length, kinds, acl: change.acl, detail })
}

const pushParent = (
  events: TreeEvent[],
  change: { readonly path: string; readonly parentAcl: Acl | null },
): void => {
  events.push({
    type: 'childrenChanged',
    path: parentPath(change.path),
    index: events.length,
    kinds: childOnly,
    acl: change.parentAcl,
    detail: null,
  })
}

const dataOnly: readonly WatchKind[] = ['data']
const childOnly: readonly WatchKind[] = ['child']
const dataAndChild: readonly WatchKind[] = ['data', 'child']

const createDetail = (txn: Txn, change: ChangeOf<'create'>): EventDetail => ({
  data: change.data,
  czxid: txn.zxid,
  mzxid: txn.zxid,
  version: 0,
  mtime: txn.timeMs,
  ephemeralOwner: change.ephemeralOwner,
})

const setDetail = (txn: Txn, change: ChangeOf<'setData'>): EventDetail => ({
  data: change.data,
  czxid: change.czxid,
  mzxid: txn.zxid,
  version: change.version,
  mtime: txn.timeMs,
  ephemeralOwner: change.ephemeralOwner,
})

/** Of the znode as it was last; its data is not kept. */
const deleteDetail = (change: ChangeOf<'delete'>): EventDetail => ({
  data: null,
  czxid: change.czxid,
  mzxid: change.mzxid,
  version: change.version,
  mtime: change.mtime,
  ephemeralOwner: change.ephemeralOwner,
})

/** True when (zxid, index) comes after the position; `from` is exclusive. */
export const isAfter = (
  event: { readonly zxid: Zxid; readonly index: number },
  position: { readonly zxid: Zxid; readonly index: number },
): boolean =>
  event.zxid > position.zxid || (event.zxid === position.zxid && event.index > position.index)
