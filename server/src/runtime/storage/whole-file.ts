import { completed, errorCode, type Files, isOutOfSpace, type OpenFile } from './files.js'

/** A path inside a directory. The port knows no separators but this one. */
export const within = (directory: string, name: string): string => `${directory}/${name}`

/** Opens, uses and closes a file. */
export const withFile = async <T>(
  files: Files,
  path: string,
  mode: 'read' | 'create' | 'update',
  use: (file: OpenFile) => Promise<T>,
): Promise<T> => {
  const file = await completed<OpenFile>((done) => files.open(path, mode, done))
  try {
    return await use(file)
  } finally {
    await completed<void>((done) => file.close(done))
  }
}

/** The new content is there whole and durable, or the old one still is. */
export const replaceFile = async (
  files: Files,
  directory: string,
  name: string,
  content: Uint8Array,
): Promise<void> => {
  const temporary = within(directory, `${name}.tmp`)
  await withFile(files, temporary, 'create', async (file) => {
    await completed<void>((done) => file.write(content, 0, done))
    await completed<void>((done) => file.sync(done))
  })
  await completed<void>((done) => files.rename(temporary, within(directory, name), done))
  await syncDirectory(files, directory)
}

/**
 * Its entries are durable afterwards. A failure is final, whatever it says: file systems with a
 * journal write nothing more, so there is no use in waiting for space.
 */
export const syncDirectory = async (files: Files, directory: string): Promise<void> => {
  try {
    await completed<void>((done) => files.syncDirectory(directory, done))
  } catch (error) {
    if (!isOutOfSpace(error)) throw error
    const message = `the entries of ${directory} are not durable: ${(error as Error).message}`
    throw Object.assign(new Error(message, { cause: error }), { code: 'EIO' })
  }
}

/** @returns null when there is no such file, or when it has more than `bytesMax` bytes */
export const readWholeFile = async (
  files: Files,
  path: string,
  bytesMax: number,
): Promise<Buffer | null> => {
  try {
    return await withFile(files, path, 'read', async (file) => {
      const size = await completed<number>((done) => file.size(done))
      if (size > bytesMax) return null
      return readRange(file, 0, size)
    })
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}

/** Reads in pieces, so that a large file never holds a thread of the pool for long. */
export const readRange = async (
  file: OpenFile,
  offset: number,
  length: number,
): Promise<Buffer> => {
  const bytes = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const piece = bytes.subarray(filled, Math.min(filled + pieceBytes, length))
    const at = offset + filled
    const count = await completed<number>((done) => file.read(piece, at, done))
    filled += count
    if (count < piece.length) break
  }
  return bytes.subarray(0, filled)
}

/** What is in the page cache may not be on the disk; after this it is. */
export const syncFile = (files: Files, path: string): Promise<void> =>
  withFile(files, path, 'update', (file) => completed<void>((done) => file.sync(done)))

const pieceBytes = 1_048_576
