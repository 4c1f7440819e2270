export { setAside } from './set-aside.js'
export { DamageError } from './damage-error.js'
export { DataDirectoryError, type DataDirectoryProblem } from './data-directory-error.js'
export { checkVersion, openDataDirectory } from './data-directory.js'
export { type DirectoryLock, lockDirectory } from './directory-lock.js'
export type { Completion, Files, OpenFile, OpenMode } from './files.js'
export { readHardState, writeHardState } from './hard-state-file.js'
export {
  type InspectedDamage,
  inspectLog,
  inspectSnapshots,
  type LogItem,
  type SnapshotItem,
} from './inspect.js'
export type { Log } from './log-level.js'
export { nodeFiles } from './node-files.js'
export type { Recovered } from './recovery.js'
export { type OpenedStorage, openStorage, type Storage, type StorageOptions } from './storage.js'
export { writeSnapshot } from './snapshot-writer.js'
export { nodeTimers, type Timers } from './timers.js'
