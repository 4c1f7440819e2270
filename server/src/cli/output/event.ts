import type { ChangeEvent, WatchEvent, WatchPosition } from '@conclave/client'
import { z } from 'zod'
import { UsageError } from '../usage-error.js'
import { bytesForJson, bytesInline } from './bytes.js'
import { escapeText } from './escape.js'
import type { Style } from './style.js'
import type { View } from './view.js'

/** One line for what happened. */
export const eventText = (event: WatchEvent, view: View): string => {
  const { style } = view
  if (event.type === 'caughtUp') return style.dim('all that had happened is told; now come news')
  if (event.type === 'gap') {
    const range = `zxid ${event.from + 1} to ${event.to}`
    return style.warn(`gap: what happened in ${range} is not known any more; read everything anew`)
  }
  const data = event.detail?.data ?? null
  const shown = data === null ? '' : `  ${bytesInline(data)}`
  return changeText(event, style) + shown
}

export const changeText = ({ type, path, zxid }: ChangeEvent, style: Style): string =>
  `${tones[type](style)(type.padEnd(15))}  ${escapeText(path)}  ${style.dim(`zxid ${zxid}`)}`

export const eventJson = (event: WatchEvent): unknown => {
  const position = encodePosition(event.position)
  if (!('detail' in event)) return { ...event, position }
  const { detail, ...rest } = event
  if (detail === null) return { ...rest, position }
  const { data, ...facts } = detail
  return { ...rest, detail: data === null ? detail : { ...facts, ...bytesForJson(data) }, position }
}

/** A position as one word, for `--from`. What is in it is the servers' business. */
export const encodePosition = (position: WatchPosition): string =>
  Buffer.from(JSON.stringify(position)).toString('base64url')

/** @throws UsageError */
export const decodePosition = (word: string): WatchPosition => {
  try {
    const said: unknown = JSON.parse(Buffer.from(word, 'base64url').toString())
    return positionSchema.parse(said) as WatchPosition
  } catch {
    throw new UsageError('--from takes a position as "watch" prints it at its end')
  }
}

const positionSchema = z.strictObject({
  ensembleId: z.string(),
  zxid: z.int().nonnegative(),
  index: z.int().nonnegative(),
})

const tones: Readonly<Record<ChangeEvent['type'], (style: Style) => (text: string) => string>> = {
  created: ({ good }) => good,
  deleted: ({ bad }) => bad,
  dataChanged: ({ warn }) => warn,
  childrenChanged: ({ path }) => path,
}
