import type { CommandOption } from './command.js'
import { wholeNumber } from './parse-options.js'

export interface VersionFlags {
  readonly ifVersion?: number
}

/** @param which of the versions in the stat is compared */
export const versionOption = (which: 'version' | 'acl version'): CommandOption => ({
  flags: '-v, --if-version <number>',
  help: `only if this is its ${which}`,
  parse: wholeNumber('--if-version'),
})
