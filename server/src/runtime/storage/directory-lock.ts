import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
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

/** Linked into place, so that whoever sees the file sees a whole process id. */
const lockByProcessId = async (directory: string): Promise<DirectoryLock> => {
  const path = within(directory, processIdName)
  const own = `${path}.${process.pid}`
  writeFileSync(own, `${process.pid}\n`, { mode: 0o600 })
  try {
    if (!isLinked(own, path)) takeOver(directory, own, path)
    return { release: async () => rmSync(path, { force: true }) }
  } finally {
    rmSync(own, { force: true })
  }
}

/** Of those who find the file of a process that is gone, one at a time may remove it. */
const takeOver = (directory: string, own: string, path: string): void => {
  const turn = `${path}.taking`
  if (isOfAnotherProcess(path)) throw lockedError(directory)
  if (!isMade(turn)) throw lockedError(directory, `; if none runs, remove ${turn}`)
  try {
    // Who had the turn before may be the one that has the lock now.
    if (isOfAnotherProcess(path)) throw lockedError(directory)
    rmSync(path, { force: true })
    if (!isLinked(own, path)) throw lockedError(directory)
  } finally {
    rmdirSync(turn)
  }
}

const isLinked = (from: string, to: string): boolean => unlessThere(() => linkSync(from, to))

const isMade = (path: string): boolean => unlessThere(() => mkdirSync(path))

/** @returns false when it was there already */
const unlessThere = (make: () => void): boolean => {
  try {
    make()
    return true
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    return false
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

const lockedError = (directory: string, otherwise = ''): DataDirectoryError =>
  new DataDirectoryError(
    'locked',
    `${directory} is in use by another Conclave server: stop that one first, or name another ` +
      `directory${otherwise}.`,
  )

const processIdName = 'server.pid'
