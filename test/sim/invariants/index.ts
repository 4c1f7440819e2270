import { Agreement } from './agreement.js'
import { Attachments } from './attachments.js'
import { Durability } from './durability.js'
import { Expiry } from './expiry.js'
import type { Invariant } from './invariant.js'
import { Leadership } from './leadership.js'
import { Moved } from './moved.js'
import { Multis } from './multis.js'
import { OneState } from './one-state.js'
import { UniquePositions } from './positions.js'
import { QuorumAck } from './quorum-ack.js'
import { Replies } from './replies.js'
import { Sessions } from './sessions.js'
import { Versions } from './versions.js'

export type { Invariant, Sight } from './invariant.js'

/** Fresh ones for one world; {@link Agreement} comes first, since it makes the committed log. */
export const invariants = (nowMs: () => number): readonly Invariant[] => [
  new UniquePositions(),
  new Agreement(),
  new QuorumAck(),
  new Leadership(),
  new Durability(),
  new OneState(),
  new Sessions(),
  new Expiry(nowMs),
  new Attachments(),
  new Moved(),
  new Multis(),
  new Versions(),
  new Replies(),
]
