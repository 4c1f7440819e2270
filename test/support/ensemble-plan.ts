import { Dice } from '../fuzz/dice.js'
import type { EnsembleSettings } from './ensemble-process.js'

/** Whom it strikes: the minority is as many as may fail at once, the leader among them. */
export type Victims = 'leader' | 'follower' | 'minority' | 'all'

/** What happens to the victims until they are healed. */
export type Fault =
  | {
      /** kill -9; what is wiped starts again with an empty directory. */
      readonly fault: 'kill' | 'wipe'
      readonly victims: Victims
    }
  | {
      /** They end in order, by SIGTERM. */
      readonly fault: 'terminate'
      readonly victims: Victims
    }
  | {
      /** SIGSTOP, for longer than servers bear silence, or than a session outlives its client. */
      readonly fault: 'stand'
      readonly victims: Victims
      readonly outlasts: 'silence' | 'session'
    }
  | {
      /** Their links to all others, or to one of them, are reset and refused. */
      readonly fault: 'part'
      readonly victims: Victims
      readonly from: 'others' | 'one'
    }
  | {
      /** What passes on these links one way, or both, is swallowed. */
      readonly fault: 'mute'
      readonly victims: Victims
      readonly from: 'others' | 'one'
      readonly way: 'out' | 'in' | 'both'
    }
  | {
      /** All links are slow. */
      readonly fault: 'slow'
      readonly victims: 'none'
      readonly delayMs: number
    }

export interface Round {
  readonly fault: Fault
  /** It strikes after so many replies. */
  readonly afterReplies: number
  /** A client of a victim never comes back to hear of its writes. */
  readonly hasLeaver: boolean
}

export interface EnsemblePlan {
  readonly seed: number
  readonly servers: number
  readonly settings: EnsembleSettings
  readonly rounds: readonly Round[]
}

/**
 * As many rounds as asked for, drawn by the seed. Faults are dealt like cards, so that none of them
 * comes again before all of them came.
 */
export const ensemblePlan = (seed: number, servers: number, rounds: number): EnsemblePlan => {
  const dice = Dice.of(seed, `an ensemble of ${servers}`)
  const deck: Fault[] = []
  const deal = (): Fault => {
    if (deck.length === 0) deck.push(...faults)
    return deck.splice(dice.below(deck.length), 1)[0] as Fault
  }
  const drawn = Array.from({ length: rounds }, () => roundOf(deal(), dice))
  return { seed, servers, settings: {}, rounds: drawn }
}

/** As many rounds as asked for, with short logs; half-way and at the end snapshots are given. */
export const snapshotPlan = (seed: number, servers: number, rounds: number): EnsemblePlan => {
  const plan = ensemblePlan(seed, servers, rounds - 2 * forgetful.length)
  const dice = Dice.of(seed, 'servers that forget')
  const given = (): readonly Round[] => forgetful.map((fault) => roundOf(fault, dice))
  const half = Math.ceil(plan.rounds.length / 2)
  const [first, second] = [plan.rounds.slice(0, half), plan.rounds.slice(half)]
  return { ...plan, settings: shortLogs, rounds: [...first, ...given(), ...second, ...given()] }
}

/** The same faults in each run, at moments drawn by the seed, and short logs. */
export const shortEnsemblePlan = (seed: number): EnsemblePlan => {
  const dice = Dice.of(seed, 'a short run')
  const rounds = shortFaults.map((fault) => roundOf(fault, dice))
  return { seed, servers: 3, settings: shortLogs, rounds }
}

const shortLogs: EnsembleSettings = { snapshotTxns: 50, segmentBytes: 65_536 }

const roundOf = (fault: Fault, dice: Dice): Round => ({
  fault,
  afterReplies: 1 + dice.below(500),
  hasLeaver: (fault.fault === 'stand' && fault.outlasts === 'session') || dice.once(2),
})

/** Who has started again knows of its log what the disk holds, and teaches the rest by snapshot. */
const forgetful: readonly Fault[] = [
  { fault: 'kill', victims: 'all' },
  { fault: 'wipe', victims: 'follower' },
]

const shortFaults: readonly Fault[] = [
  { fault: 'kill', victims: 'leader' },
  { fault: 'stand', victims: 'leader', outlasts: 'silence' },
  { fault: 'part', victims: 'leader', from: 'others' },
  ...forgetful,
]

const faults: readonly Fault[] = [
  { fault: 'kill', victims: 'leader' },
  { fault: 'kill', victims: 'leader' },
  { fault: 'kill', victims: 'follower' },
  { fault: 'kill', victims: 'minority' },
  { fault: 'kill', victims: 'all' },
  { fault: 'wipe', victims: 'follower' },
  { fault: 'terminate', victims: 'leader' },
  { fault: 'stand', victims: 'leader', outlasts: 'silence' },
  { fault: 'stand', victims: 'leader', outlasts: 'session' },
  { fault: 'stand', victims: 'follower', outlasts: 'session' },
  { fault: 'stand', victims: 'minority', outlasts: 'silence' },
  { fault: 'part', victims: 'leader', from: 'others' },
  { fault: 'part', victims: 'follower', from: 'others' },
  { fault: 'part', victims: 'leader', from: 'one' },
  { fault: 'mute', victims: 'leader', from: 'others', way: 'both' },
  { fault: 'mute', victims: 'leader', from: 'others', way: 'out' },
  { fault: 'mute', victims: 'leader', from: 'others', way: 'in' },
  { fault: 'mute', victims: 'follower', from: 'others', way: 'in' },
  { fault: 'mute', victims: 'leader', from: 'one', way: 'out' },
  { fault: 'slow', victims: 'none', delayMs: 50 },
]
