import type { Random } from './random.js'
import type { ClockOptions } from './sim-clock.js'

/** What one world is like. Each kind of fault is absent from some: bugs hide behind others. */
export interface Swarm {
  /** Those that vote. */
  readonly servers: number
  readonly observers: number
  readonly clients: number
  /** Between what a client asks for and what it asks for next. */
  readonly askMsMean: number
  /** How long a process of a client waits between two operations on the hot paths. */
  readonly thinkMsMean: number
  readonly network: {
    readonly delayMsMin: number
    readonly delayMsMean: number
    readonly tail: number
  }
  readonly diskMsMean: number
  readonly clocks: ClockOptions
  /** What servers keep of their logs in memory: sometimes so little that the disk is asked. */
  readonly historyBytesMax: number
  /** How soon servers forget their logs on disk: learners then need snapshots. */
  readonly log: {
    readonly segmentBytes: number
    readonly snapshotTxns: number
    readonly snapshotsKept: number
  }
  /** Frames pass through the codec, as bytes. */
  readonly codec: boolean
  /** How often each fault strikes, in times a simulated second; 0 for never. */
  readonly faults: Readonly<Record<FaultKind, number>>
}

/** Every fault class, with the rate that no world exceeds, in times a simulated second. */
export const faultRates = {
  kill: 0.15,
  killLeader: 0.05,
  stop: 0.05,
  restartAll: 0.01,
  crashLoop: 0.01,
  powerLoss: 0.15,
  powerLossOfAll: 0.01,
  crashPoint: 0.25,
  wipe: 0.04,
  bitRot: 0.04,
  failedSync: 0.03,
  fullDisk: 0.03,
  slowDisk: 0.03,
  pause: 0.04,
  stall: 0.2,
  clockJump: 0.1,
  reset: 0.3,
  slowNetwork: 0.03,
  clog: 0.15,
  swizzleClog: 0.01,
  isolate: 0.03,
  isolateLeader: 0.02,
  halves: 0.03,
  oneLink: 0.03,
  oneWay: 0.03,
  bridge: 0.02,
  ring: 0.02,
  killClient: 0.05,
  pauseClient: 0.1,
  freezeLeader: 0.06,
} as const

export type FaultKind = keyof typeof faultRates

export const faultKinds = Object.keys(faultRates) as readonly FaultKind[]

/** @param without fault classes that are kept out; the rest of the world stays as it would be */
export const drawSwarm = (random: Random, without: ReadonlySet<FaultKind> = new Set()): Swarm => {
  const rate = (kind: FaultKind): number => {
    const drawn = random.chance(0.3) ? 0 : random.between(0, faultRates[kind])
    return without.has(kind) ? 0 : drawn
  }
  const delayMsMean = random.pick([0.2, 1, 5, 20])
  return {
    servers: random.pick([1, 3, 3, 3, 5]),
    observers: random.pick([0, 0, 1]),
    clients: 2 + random.below(3),
    askMsMean: random.pick([150, 450, 450]),
    thinkMsMean: random.pick([200, 700]),
    network: {
      delayMsMin: random.pick([0.05, 0.5, 5]),
      delayMsMean,
      tail: random.chance(0.3) ? random.between(0, 0.002) : 0,
    },
    diskMsMean: random.pick([0.1, 0.5, 2, 10]),
    clocks: { driftMax: random.chance(0.5) ? 0 : 0.04, offsetMsMax: 1_000 },
    historyBytesMax: random.pick([1e9, 30_000, 5_000]),
    log: random.pick([
      { segmentBytes: 65_536, snapshotTxns: Number.MAX_SAFE_INTEGER, snapshotsKept: 3 },
      { segmentBytes: 2_048, snapshotTxns: 8, snapshotsKept: 1 },
      { segmentBytes: 16_384, snapshotTxns: 50, snapshotsKept: 2 },
    ]),
    codec: random.chance(0.1),
    faults: Object.fromEntries(faultKinds.map((kind) => [kind, rate(kind)])) as Swarm['faults'],
  }
}
