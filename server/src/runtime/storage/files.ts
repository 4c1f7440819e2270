/**
 * All that storage asks of a file system. Completion style: nothing here blocks, and a callback is
 * never called before the function that took it has returned.
 */
export interface Files {
  open(path: string, mode: OpenMode, done: Completion<OpenFile>): void
  /** Replaces `to` if it exists; atomic, but durable only after the directory is synced. */
  rename(from: string, to: string, done: Completion<void>): void
  unlink(path: string, done: Completion<void>): void
  /** The names in a directory, in ascending order of code units. */
  list(directory: string, done: Completion<readonly string[]>): void
  /** One level, readable by its owner only. Fails with EEXIST. */
  mkdir(path: string, done: Completion<void>): void
  /** Makes the entries of a directory durable: creations, renames and removals in it. */
  syncDirectory(path: string, done: Completion<void>): void
}

export interface OpenFile {
  /** Reads until `into` is full or the file ends; the result is the number of bytes read. */
  read(into: Uint8Array, offset: number, done: Completion<number>): void
  /** All bytes or an error; after an error any part of them may have been written. */
  write(bytes: Uint8Array, offset: number, done: Completion<void>): void
  /** Makes content and size durable. */
  sync(done: Completion<void>): void
  size(done: Completion<number>): void
  truncate(size: number, done: Completion<void>): void
  close(done: Completion<void>): void
}

export type Completion<T> = (error: Error | null, result: T) => void

/**
 * read: an existing file, for reading. create: a new or emptied file, for reading and writing.
 * update: an existing file, for reading and writing. updateDurable: the same, and every completed
 * write is durable (O_DSYNC).
 */
export type OpenMode = 'read' | 'create' | 'update' | 'updateDurable'

/** The completion as a promise, for everything off the hot path. */
export const completed = <T>(start: (done: Completion<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => {
    start((error, result) => {
      if (error === null) resolve(result)
      else reject(error)
    })
  })

/** The code of a file system error, such as ENOENT; an empty string for any other error. */
export const errorCode = (error: unknown): string => {
  if (!(error instanceof Error) || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}

/** No room on the disk or in the quota: the one failure that passes by itself. */
export const isOutOfSpace = (error: unknown): boolean => {
  const code = errorCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}
