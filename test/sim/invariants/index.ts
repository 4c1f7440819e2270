import { Agreement } from './agreement.js'
import { Durability } from './durability.js'
import type { Invariant } from './invariant.js'
import { Leadership } from './leadership.js'
import { OneState } from './one-state.js'
import { UniquePositions } from './positions.js'
import { QuorumAck } from './quorum-ack.js'

export type { Invariant, Sight } from './invariant.js'

/** Fresh ones for one world; {@link Agreement} comes first, since it makes the committed log. */
export const invariants = (): readonly Invariant[] => [
  new UniquePositions(),
  new Agreement(),
  new QuorumAck(),
  new Leadership(),
  new Durability(),
  new OneState(),
]
