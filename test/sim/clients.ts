import type { SessionId } from '@conclave/protocol'
import type { Random } from './random.js'

/** Who uses the servers of a world, as far as faults and the world's end are concerned. */
export interface Clients {
  /** The servers have given the session up, as one of them shows at this moment. */
  expired(sessionId: SessionId): void
  /** Somebody else takes its place soon. */
  kill(random: Random): boolean
  pause(random: Random, resumeLater: (resume: () => void) => void): boolean
  goOn(): void
  /** Nothing more is asked for; what was is still waited for. */
  end(): void
  /** Nobody is there any more: some say so, others are just gone. */
  leave(random: Random): void
  /** At the end of the world. @throws Violation */
  judge(): void
}
