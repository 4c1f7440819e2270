import type { Change, Txn, TxnBody, SnapshotEntry } from '@conclave/protocol/peer'
import type { LogItem, SnapshotItem } from '../../runtime/storage/index.js'
import { bytesInline } from '../output/bytes.js'
import { escapeText } from '../output/escape.js'
import type { Style } from '../output/style.js'
import { durationText, timeText } from '../output/time.js'

/** A line for what was found on the disk; what belongs to a file or a batch is indented. */
export const inspectedText = (item: LogItem | SnapshotItem, style: Style): string => {
  switch (item.item) {
    case 'segment':
      return [
        style.title(`segment ${item.sequence}`),
        `  ${escapeText(item.file)}`,
        `  generation ${item.generation}, first zxid ${item.firstZxid}, `,
        `committed up to zxid ${item.commit}, ${epochsText(item.epochs)}`,
      ].join('')
    case 'batch':
      return style.dim(
        `  batch ${item.number}  offset ${item.offset}, ${plural(item.records, 'txn')}, ` +
          `committed up to zxid ${item.commit}`,
      )
    case 'endMark':
      return style.good(
        `  end mark  offset ${item.offset}: the server was stopped cleanly, ` +
          `committed up to zxid ${item.commit}`,
      )
    case 'record':
      return `    ${txnText(item.txn, style)}`
    case 'snapshot': {
      const { header } = item
      return [
        style.title(`snapshot at zxid ${header.zxid}`),
        `  ${escapeText(item.file)}`,
        `  epoch ${header.epoch}, ${timeText(header.timeMs)}, generation ${item.generation}, `,
        `ensemble ${escapeText(header.ensembleId)}, digest ${escapeText(header.digest)}`,
      ].join('')
    }
    case 'entry':
      return `  ${entryText(item.entry, style)}`
    case 'end':
      return style.dim(`  end  offset ${item.offset}`)
    case 'damage':
      return item.mayBeTorn
        ? style.warn(
            `  torn or unfinished write  offset ${item.offset}: ${escapeText(item.reason)}; ` +
              'a server cuts it off when it starts',
          )
        : style.bad(
            `  DAMAGE  ${escapeText(item.file)} offset ${item.offset}: ${escapeText(item.reason)}`,
          )
  }
}

const epochsText = (epochs: readonly { epoch: number; firstZxid: number }[]): string => {
  const last = epochs.at(-1)
  return last === undefined ? 'no epoch yet' : `epoch ${last.epoch} from zxid ${last.firstZxid}`
}

const txnText = ({ zxid, epoch, timeMs, sessionId, xid, body }: Txn, style: Style): string => {
  const who = sessionId === 0 ? '' : `  ${style.dim(`session ${sessionId} xid ${xid}`)}`
  const head = `zxid ${String(zxid).padEnd(6)} epoch ${epoch}  ${style.dim(timeText(timeMs))}`
  return `${head}  ${bodyText(body, style)}${who}`
}

const bodyText = (body: TxnBody, style: Style): string => {
  switch (body.body) {
    case 'createEnsemble':
      return `createEnsemble ${escapeText(body.ensembleId)}`
    case 'createSession':
      return `createSession, timeout ${durationText(body.sessionTimeoutMs)}`
    case 'closeSession':
      return (
        `closeSession ${body.closedSession}${body.expired ? ' (expired)' : ''}` +
        body.changes.map((change) => `, ${changeText(change, style)}`).join('')
      )
    case 'write': {
      const { answer } = body.answer
      const head = answer === 'single' ? '' : `${answer}: `
      const changes = body.changes.map((change) => changeText(change, style))
      return head + (changes.length === 0 ? 'nothing' : changes.join(', '))
    }
    case 'acknowledge': {
      const acked = body.acked.map(({ sessionId, ackedXid }) => `${sessionId} xid ${ackedXid}`)
      return `acknowledge session ${acked.join(', session ')}`
    }
    case 'error':
      return style.warn(`refused ${body.code}: ${escapeText(body.message)}`)
  }
}

const changeText = (change: Change, style: Style): string => {
  switch (change.change) {
    case 'check':
      return 'check'
    case 'create': {
      const kind = change.kind === 'persistent' ? '' : ` ${change.kind}`
      return `create${kind} ${pathText(change.path, style)}${dataText(change.data, style)}`
    }
    case 'setData':
      return (
        `setData ${pathText(change.path, style)}${dataText(change.data, style)} ` +
        `version ${change.version}`
      )
    case 'delete':
      return `delete ${pathText(change.path, style)}`
    case 'setAcl':
      return `setAcl ${pathText(change.path, style)}`
  }
}

const entryText = (entry: SnapshotEntry, style: Style): string => {
  switch (entry.entry) {
    case 'znode': {
      const { path, kind, version, data, mzxid } = entry
      const facts = style.dim(`${kind}, version ${version}, zxid ${mzxid}`)
      return `znode  ${pathText(path, style)}  ${facts}${dataText(data, style)}`
    }
    case 'session':
      return (
        `session ${entry.sessionId}  timeout ${durationText(entry.sessionTimeoutMs)}, ` +
        `last xid ${entry.lastXid}, ${plural(entry.results.length, 'kept result')}`
      )
    case 'tombstone':
      return (
        `ended session ${entry.sessionId}  ${entry.expired ? 'expired' : 'closed'} at zxid ` +
        `${entry.closedZxid}, ${timeText(entry.closedTimeMs)}`
      )
  }
}

const pathText = (path: string, style: Style): string =>
  style.path(path === '' ? '/' : escapeText(path))

const dataText = (data: Uint8Array | null, style: Style): string =>
  data === null || data.length === 0
    ? ''
    : style.dim(` (${plural(data.length, 'byte')}: ${bytesInline(data)})`)

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
