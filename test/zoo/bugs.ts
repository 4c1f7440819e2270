import type { Bug } from './bug.js'
import { broadcastBugs } from './broadcast.js'
import { ensembleBugs } from './ensemble.js'
import { sessionBugs } from './sessions.js'
import { storageBugs } from './storage.js'
import { watchBugs } from './watches.js'

/** Every bug of the zoo, one list for each room. */
export const bugs: readonly Bug[] = [
  ...broadcastBugs,
  ...ensembleBugs,
  ...sessionBugs,
  ...storageBugs,
  ...watchBugs,
]
