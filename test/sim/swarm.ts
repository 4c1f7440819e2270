import type { Random } from './random.js'

/** What one world is like. Each kind of fault is absent from some: bugs hide behind others. */
export interface Swarm {
  readonly servers: number
  readonly clients: number
  readonly network: {
    readonly delayMsMin: number
    readonly delayMsMean: number
    readonly tail: number
  }
  readonly diskMsMean: number
  readonly clockDriftMax: number
  /** Frames pass through the codec, as bytes. */
  readonly codec: boolean
  /** How often each fault strikes, in times a simulated second; 0 for never. */
  readonly faults: Readonly<Record<FaultKind, number>>
}

export type FaultKind =
  | 'kill'
  | 'killLeader'
  | 'powerLoss'
  | 'powerLossOfAll'
  | 'wipe'
  | 'pause'
  | 'reset'
  | 'isolate'
  | 'halves'
  | 'oneLink'
  | 'oneWay'
  | 'bridge'
  | 'ring'
  | 'slowDisk'
  | 'clockJump'
  | 'killClient'
  | 'pauseClient'

export const drawSwarm = (random: Random): Swarm => {
  const rate = (most: number): number => (random.chance(0.3) ? 0 : random.between(0, most))
  const delayMsMean = random.pick([0.2, 1, 5, 20])
  return {
    servers: random.pick([1, 3, 3, 3, 5]),
    clients: 1 + random.below(4),
    network: {
      delayMsMin: random.pick([0.05, 0.5, 5]),
      delayMsMean,
      tail: random.chance(0.3) ? random.between(0, 0.002) : 0,
    },
    diskMsMean: random.pick([0.1, 0.5, 2, 10]),
    clockDriftMax: random.chance(0.5) ? 0 : 0.04,
    codec: random.chance(0.1),
    faults: {
      kill: rate(0.1),
      killLeader: rate(0.05),
      powerLoss: rate(0.1),
      powerLossOfAll: rate(0.01),
      wipe: rate(0.02),
      pause: rate(0.05),
      reset: rate(0.2),
      isolate: rate(0.03),
      halves: rate(0.03),
      oneLink: rate(0.03),
      oneWay: rate(0.03),
      bridge: rate(0.02),
      ring: rate(0.02),
      slowDisk: rate(0.03),
      clockJump: rate(0.05),
      killClient: rate(0.05),
      pauseClient: rate(0.05),
    },
  }
}
