import type { Target } from '../target.js'
import { codecTargets } from './codec.js'
import { diskTargets } from './disk.js'
import { replicaTarget } from './replica.js'
import { valueTargets } from './values.js'

/** What runs in the process itself, and is the same each time. */
export const targets: readonly Target[] = [
  ...codecTargets,
  ...valueTargets,
  ...diskTargets,
  replicaTarget,
]
