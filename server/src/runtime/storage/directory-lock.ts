import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { DataDirectoryError } from './data-directory-error.js'
import { errorCode } from './files.js'
import { within } from './whole-file.js'

/** Held by the one server that uses a data directory; gone when its process is. */
export interface DirectoryLock {
  release(): Promise<void>
}

/** For a directory that nobody else can use. */
export const unlocked = async (): Promise<DirectoryLock> => ({ release: async () => undefined })

/**
 * On Linux the lock is an abstract Unix socket, which the kernel drops with the process, however
 * it ends; it is named after the directory itself, whatever path leads there. (Two containers see
 * each other's sockets only if they share a network namespace.) Elsewhere it is a file with the
 * process id.
 * @throws DataDirectoryError when another process holds it
 */
export const lockDirectory = (
  directory: string,
  platform: NodeJS.Platform = process.platform,
): Promise<DirectoryLock> =>
  platform === 'linux' ? lockBySocket(directory) : lockByProcessId(directory)

const lockBySocket = async (directory: string): Promise<DirectoryLock> => {
  const { dev, ino } = statSync(directory, { bigint: true })
  const server = createServer((socket) => socket.destroy())
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      // Not shared between the workers of a cluster.
      server.listen({ path: `\0conclave-data-${dev}-${ino}`, exclusive: true }, resolve)
    })
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') throw lockedError(directory)
    throw error
  }
  server.unref()
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

const lockByProcessId = async (directory: string): Promise<DirectoryLock> => {
  const path = within(directory, processIdName)
  for (;;) {
    try {
      writeFileSync(path, `${process.pid}\n`, { flag: 'wx', mode: 0o600 })
      return { release: async () => rmSync(path, { force: true }) }
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    if (isOfAnotherProcess(path)) throw lockedError(directory)
    rmSync(path, { force: true })
  }
}

/** The own id is that of an earlier life: in a container every life has the same. */
const isOfAnotherProcess = (path: string): boolean => {
  try {
    const id = Number(readFileSync(path, 'latin1'))
    if (!Number.isSafeInteger(id) || id <= 0 || id === process.pid) return false
    process.kill(id, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

const lockedError = (directory: string): DataDirectoryError =>
  new DataDirectoryError(
    'locked',
    `${directory} is in use by another Conclave server: stop that one first, or name another ` +
      'directory.',
  )

const processIdName = 'server.pid'
