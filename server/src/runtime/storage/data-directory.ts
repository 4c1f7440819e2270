import { dirname } from 'node:path'
import { dataVersion } from '@conclave/protocol'
import { DataDirectoryError, type DataDirectoryProblem } from './data-directory-error.js'
import { type DirectoryLock, unlocked } from './directory-lock.js'
import { completed, errorCode, type Files } from './files.js'
import { readWholeFile, replaceFile, syncDirectory, syncFile, within } from './whole-file.js'

export const versionFileName = 'conclave-data'

/**
 * Makes the directory if there is none, locks it, and sees to it that it is one of Conclave's, of
 * this version, and on the disk.
 * @throws DataDirectoryError
 */
export const openDataDirectory = (
  files: Files,
  directory: string,
  lock: (directory: string) => Promise<DirectoryLock> = unlocked,
): Promise<DirectoryLock> =>
  explained(directory, async () => {
    await makeDirectory(files, directory)
    // First of all: another server may be making one of Conclave's of it.
    const held = await lock(directory)
    try {
      await checkOrBegin(files, directory)
    } catch (error) {
      await held.release()
      throw error
    }
    return held
  })

const checkOrBegin = async (files: Files, directory: string): Promise<void> => {
  const names = await completed<readonly string[]>((done) => files.list(directory, done))
  if (names.includes(versionFileName)) {
    await checkVersion(files, directory)
    await syncFile(files, within(directory, versionFileName))
    await syncDirectory(files, directory)
    return
  }
  const foreign = names.find((name) => !harmless.has(name) && !name.startsWith('server.pid.'))
  if (foreign !== undefined) {
    throw new DataDirectoryError(
      'foreign',
      `${directory} is not a Conclave data directory: it holds "${foreign}" and no ` +
        `"${versionFileName}"; name an empty or a new directory.`,
    )
  }
  await replaceFile(files, directory, versionFileName, versionText(dataVersion))
}

/** Turns what the file system says into a sentence, where an operator can do something about it. */
export const explained = async <T>(directory: string, action: () => Promise<T>): Promise<T> => {
  try {
    return await action()
  } catch (error) {
    const code = errorCode(error)
    const explanation = explanations.get(code)
    if (explanation === undefined) throw error
    const { problem, sentence } = explanation
    throw new DataDirectoryError(problem, `${directory}: ${sentence} (${code}).`, { cause: error })
  }
}

/** A directory that was just made, here or before a kill, is on the disk once its parent is. */
const makeDirectory = async (files: Files, directory: string): Promise<void> => {
  const parent = dirname(directory)
  const make = async (): Promise<void> => {
    try {
      await completed<void>((done) => files.mkdir(directory, done))
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
  }
  try {
    await make()
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || parent === directory) throw error
    await makeDirectory(files, parent)
    // Once: there are file systems in which nothing can be made, parent or not.
    await make()
  }
  try {
    await syncDirectory(files, parent)
  } catch (error) {
    // A parent that may be entered but not read was not made by this server.
    if (errorCode(error) !== 'EACCES' && errorCode(error) !== 'EPERM') throw error
  }
}

/** @throws DataDirectoryError when another release wrote it */
export const checkVersion = async (files: Files, directory: string): Promise<void> => {
  const path = within(directory, versionFileName)
  const bytes = await readWholeFile(files, path, versionBytesMax)
  const version = /^conclave data (\d+)\n$/.exec(bytes?.toString('latin1') ?? '')?.[1]
  if (version === undefined) {
    throw new DataDirectoryError(
      'foreign',
      `${path} does not say what it should: restore it, or name another directory.`,
    )
  }
  if (Number(version) !== dataVersion) {
    throw new DataDirectoryError(
      'otherVersion',
      `${directory} was written with data version ${version} and this server reads version ` +
        `${dataVersion}: start the Conclave release that wrote it, or name another directory.`,
    )
  }
}

const versionText = (version: number): Buffer => Buffer.from(`conclave data ${version}\n`, 'latin1')
const versionBytesMax = 64

/** What may lie in a directory that is to become one of Conclave's. */
const harmless: ReadonlySet<string> = new Set([
  `${versionFileName}.tmp`,
  'lost+found',
  'server.pid',
])

const noPermission = {
  problem: 'noPermission',
  sentence:
    'this user may not read and write here; correct the owner and mode, or name another directory',
} as const
const notDirectory = {
  problem: 'notDirectory',
  sentence: 'a part of this path is a file; name a directory',
} as const
const readOnly = {
  problem: 'noPermission',
  sentence: 'the file system is read-only; name another directory',
} as const
const noSpace = {
  problem: 'noSpace',
  sentence: 'there is no space left; free some, then start again',
} as const
const unreadable: Explanation = {
  problem: 'unreadable',
  sentence:
    'the disk does not give back what it holds; look at the system log, and replace the disk or ' +
    'restore the directory',
}
const nowhere: Explanation = {
  problem: 'notDirectory',
  sentence: 'it cannot be made there; name a directory on a disk',
}

const explanations: ReadonlyMap<string, Explanation> = new Map<string, Explanation>([
  ['EACCES', noPermission],
  ['EPERM', noPermission],
  ['EROFS', readOnly],
  ['ENOTDIR', notDirectory],
  ['EEXIST', notDirectory],
  ['ENOENT', nowhere],
  ['EIO', unreadable],
  ['ENOSPC', noSpace],
  ['EDQUOT', noSpace],
])

interface Explanation {
  readonly problem: DataDirectoryProblem
  readonly sentence: string
}
