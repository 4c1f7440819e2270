import type { Stat } from '@conclave/client'
import { hexDump, textOf } from './bytes.js'
import { escapeText } from './escape.js'
import { pairsText, tableText } from './table.js'
import { ageText, durationText, timeText } from './time.js'
import type { View } from './view.js'

/** The data of a znode by itself. */
export const dataText = (data: Uint8Array, { style, isTerminal }: View): string => {
  if (data.length === 0) return isTerminal ? style.dim('(no data)') : ''
  const text = textOf(data)
  if (text !== null) return text.endsWith('\n') ? text.slice(0, -1) : text
  const note = `(${data.length} bytes that are no text, in hexadecimal; --raw gives the bytes)`
  return [style.dim(note), ...hexDump(data)].join('\n')
}

/** All that is known of a znode, one fact a line. */
export const statText = (path: string, stat: Stat, view: View): string => {
  const { style } = view
  const when = (timeMs: number): string =>
    `${timeText(timeMs)} ${style.dim(`(${ageText(timeMs, view.nowMs)})`)}`
  const owner: readonly [string, string][] =
    stat.kind === 'ephemeral' ? [['owner', `session ${stat.ephemeralOwner}`]] : []
  const ttl: readonly [string, string][] =
    stat.kind === 'ttl' ? [['ttl', durationText(stat.ttlMs)]] : []
  return pairsText([
    ['path', style.path(escapeText(path))],
    ['kind', stat.kind],
    ...owner,
    ...ttl,
    ['bytes', String(stat.dataLength)],
    ['children', String(stat.numChildren)],
    [
      'version',
      `${stat.version} ${style.dim(`(children ${stat.cversion}, acl ${stat.aversion})`)}`,
    ],
    ['created', `${when(stat.ctime)}, zxid ${stat.czxid}`],
    ['modified', `${when(stat.mtime)}, zxid ${stat.mzxid}`],
    ['children changed', `zxid ${stat.pzxid}`],
  ])
}

interface NamedStat {
  readonly name: string
  readonly stat: Stat
}

/** Children and their facts, one a line. */
export const listingTable = (children: readonly NamedStat[], { style, nowMs }: View): string =>
  tableText(
    [
      { title: 'NAME' },
      { title: 'KIND' },
      { title: 'VERSION', align: 'right' },
      { title: 'CHILDREN', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'MODIFIED' },
    ],
    children.map(({ name, stat }) => [
      style.path(escapeText(name)),
      stat.kind,
      String(stat.version),
      String(stat.numChildren),
      String(stat.dataLength),
      ageText(stat.mtime, nowMs),
    ]),
  )
