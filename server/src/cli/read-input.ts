import { createReadStream } from 'node:fs'
import { inputBytesMax } from './limits.js'
import { escapeText } from './output/escape.js'
import { UsageError } from './usage-error.js'

/**
 * All that a file, or for `-` the standard input, holds.
 *
 * @throws UsageError when it cannot be read or holds too much; the reason of the signal
 */
export const readInput = async (
  file: string,
  stdin: NodeJS.ReadableStream,
  signal: AbortSignal,
): Promise<Uint8Array> => {
  const name = file === '-' ? 'the standard input' : `the file ${escapeText(file)}`
  const chunks: Uint8Array[] = []
  let size = 0
  const source = file === '-' ? stdin : createReadStream(file)
  const abort = (): void => {
    if ('destroy' in source && typeof source.destroy === 'function') source.destroy(signal.reason)
  }
  signal.addEventListener('abort', abort)
  try {
    for await (const chunk of source) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      size += bytes.length
      if (size > inputBytesMax) throw new UsageError(`${name} has more than ${inputBytesMax} bytes`)
      chunks.push(bytes)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw fileError(error, `${name} cannot be read`)
  } finally {
    signal.removeEventListener('abort', abort)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** What the file system said, as a sentence; anything else as it is. */
export const fileError = (error: unknown, what: string): unknown => {
  if (!(error instanceof Error) || !('code' in error)) return error
  const why = reasons.get(String(error.code)) ?? String(error.code)
  return new UsageError(`${what}: ${why}`, { cause: error })
}

const reasons: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'it does not exist'],
  ['EACCES', 'this user may not read it'],
  ['EPERM', 'this user may not read it'],
  ['EISDIR', 'it is a directory'],
  ['ENOTDIR', 'a part of its path is no directory'],
])
