import { readdirSync } from 'node:fs'
import {
  checkVersion,
  DataDirectoryError,
  inspectLog,
  inspectSnapshots,
  type LogItem,
  nodeFiles,
  type SnapshotItem,
} from '../../runtime/storage/index.js'
import { exitCodes } from '../exit-code.js'
import type { Host } from '../host.js'
import { bytesForJson } from '../output/bytes.js'
import { escapeText } from '../output/escape.js'
import type { Output } from '../output/output.js'
import { fileError } from '../read-input.js'
import { UsageError } from '../usage-error.js'
import { inspectedText } from './inspected-text.js'

export interface InspectFlags {
  readonly json?: true
  readonly limit?: number
}

/** Prints item by item; a limit counts the txns of a log, or the entries of snapshots. */
export const inspectDirectory = async (
  part: 'log' | 'snapshot',
  directory: string,
  { json, limit = Number.POSITIVE_INFINITY }: InspectFlags,
  { output, signal }: { host: Host; output: Output; signal: AbortSignal },
): Promise<number> => {
  await checkDirectory(directory)
  const items: AsyncIterable<LogItem | SnapshotItem> =
    part === 'log' ? inspectLog(nodeFiles, directory) : inspectSnapshots(nodeFiles, directory)
  let left = limit
  let isEmpty = true
  let isDamaged = false
  for await (const item of items) {
    signal.throwIfAborted()
    isEmpty = false
    if (item.item === 'record' || item.item === 'entry') {
      if (left === 0) {
        output.note(`there is more; --limit takes more than ${limit}`)
        break
      }
      left -= 1
    }
    isDamaged ||= item.item === 'damage' && !item.mayBeTorn
    if (json === true) await output.json(forJson(item))
    else await output.result(inspectedText(item, output.style))
  }
  if (isEmpty) output.note(`there is no ${part} in ${directory} yet`)
  return isDamaged ? exitCodes.failed.code : exitCodes.ok.code
}

/** @throws UsageError when it is no data directory */
const checkDirectory = async (directory: string): Promise<void> => {
  let names: readonly string[]
  try {
    names = readdirSync(directory)
  } catch (error) {
    throw fileError(error, `the directory ${directory} cannot be read`)
  }
  if (!names.includes('conclave-data')) {
    throw new UsageError(
      `${escapeText(directory)} is no data directory of Conclave: name the one that the server ` +
        'was started with by --data',
    )
  }
  try {
    await checkVersion(nodeFiles, directory)
  } catch (error) {
    throw error instanceof DataDirectoryError ? new UsageError(error.message) : error
  }
}

/** Plain data: bytes as text or base64. */
const forJson = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return bytesForJson(value)
  if (Array.isArray(value)) return value.map(forJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, forJson(part)]))
}
