import { basename, dirname, join, resolve } from 'node:path'
import { copyFileSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { epochZero } from '@conclave/protocol'
import type { HardState } from '@conclave/protocol/peer'
import { DamageError } from './damage-error.js'
import { DataDirectoryError } from './data-directory-error.js'
import { checkVersion, explained, versionFileName } from './data-directory.js'
import { lockDirectory } from './directory-lock.js'
import { completed, errorCode } from './files.js'
import { hardStateName, readHardState, writeHardState } from './hard-state-file.js'
import { nodeFiles } from './node-files.js'

/**
 * Moves what a server holds into a new directory beside its own. What is left says which server of
 * which ensemble it is, and that it must be taught by the others: it votes for nothing until then.
 * A server that is alone has nobody to be taught by, and begins empty.
 *
 * @returns the directory that all was moved to
 * @throws DataDirectoryError with what to do instead
 */
export const setAside = (
  directory: string,
  { mayLoseData }: { readonly mayLoseData: boolean },
): Promise<string> =>
  explained(directory, async () => {
    if (!readdirSync(directory).includes(versionFileName)) {
      throw new DataDirectoryError(
        'foreign',
        `${directory} is no data directory of Conclave: name the one that the server was started ` +
          'with.',
      )
    }
    const lock = await lockDirectory(directory)
    try {
      await checkVersion(nodeFiles, directory)
      const hardState = await hardStateIn(directory)
      const isAlone = hardState.voters.length === 1
      if (isAlone && !mayLoseData) {
        throw new DataDirectoryError(
          'alone',
          `${directory} belongs to a server that is alone, so nobody can teach it what it holds: ` +
            'restore a copy of it, or say that it may be lost.',
        )
      }
      return await move(directory, isAlone ? null : hardState)
    } finally {
      await lock.release()
    }
  })

const hardStateIn = async (directory: string): Promise<HardState> => {
  const advice =
    'remove the directory and start the server with an empty one, as one that joins for the ' +
    'first time.'
  let hardState: HardState | null
  try {
    hardState = await readHardState(nodeFiles, directory)
  } catch (error) {
    if (!(error instanceof DamageError)) throw error
    throw new DataDirectoryError(
      'foreign',
      `${directory} does not say any more which server it belongs to: ${advice}`,
      { cause: error },
    )
  }
  if (hardState !== null) return hardState
  throw new DataDirectoryError('foreign', `${directory} has never held anything: ${advice}`)
}

/**
 * The hard state first: from then on the server counts for nothing, whatever else still lies there,
 * and doing it again completes what was broken off.
 */
const move = async (directory: string, hardState: HardState | null): Promise<string> => {
  const aside = makeSibling(resolve(directory))
  for (const name of [versionFileName, hardStateName]) {
    copyFileSync(join(directory, name), join(aside, name))
  }
  if (hardState !== null) {
    const left = { ...hardState, currentEpoch: epochZero, rejoining: true }
    await writeHardState(nodeFiles, directory, left)
  }
  const staying = new Set([versionFileName, 'server.pid', 'lost+found'])
  if (hardState !== null) staying.add(hardStateName)
  for (const name of readdirSync(directory).filter((each) => !staying.has(each))) {
    renameSync(join(directory, name), join(aside, name))
  }
  for (const each of [aside, directory, dirname(aside)]) {
    await completed<void>((done) => nodeFiles.syncDirectory(each, done))
  }
  return aside
}

const makeSibling = (directory: string): string => {
  for (let number = 1; ; number++) {
    const sibling = join(dirname(directory), `${basename(directory)}-aside-${number}`)
    try {
      mkdirSync(sibling, { mode: 0o700 })
      return sibling
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
  }
}
