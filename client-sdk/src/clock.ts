import { standardPlace } from './transport/standard.js'
import type { Clock } from './transport/transport.js'

export type { Clock } from './transport/transport.js'

/** Of this process: for what outlives every client. */
export const processClock: Clock = standardPlace
