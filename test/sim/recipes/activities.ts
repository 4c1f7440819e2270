import { count, giveTimestamps } from './counting.js'
import { grantKinds } from './grants.js'
import { belong, observe } from './groups.js'
import { hold, meet } from './holders.js'
import { edit, obey, rollOut } from './operators.js'
import { change, follow, recall } from './readers.js'
import { serve } from './services.js'
import type { Activity } from './user.js'

/** All that programs do, by the name that it is counted under. */
export const activities: Readonly<Record<string, Activity>> = {
  ...Object.fromEntries(grantKinds.map((kind) => [kind, hold(kind)])),
  barrier: meet,
  counter: count,
  timestamps: giveTimestamps,
  group: belong,
  views: observe,
  service: serve,
  edit,
  rollout: rollOut,
  subscription: obey,
  change,
  treeCache: follow,
  nearCache: recall,
}
