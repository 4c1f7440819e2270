import type { DiskMoment, TracedKind } from './disk-trace.js'
import type { Aim } from './kill-rounds.js'
import type { KillPlan } from './kill-run.js'

/** A hundred kills over the life of a write and over all that a server does to its disk. */
export const longPlan = (seed: number): KillPlan => {
  const random = numbers(seed)
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T
  const moments = (
    operations: readonly (readonly [TracedKind, string])[],
    skipMax: number,
  ): DiskMoment => {
    const [kind, file] = pick(operations)
    const when = pick(['before', 'during', 'after'] as const)
    return { kind, file, when, skip: Math.floor(random() * skipMax) }
  }
  const aims: Aim[] = []
  for (let i = 0; i < 45; i++) aims.push({ aim: 'life', share: random() * 1.2 })
  for (let i = 0; i < 10; i++) aims.push({ aim: 'replies', count: 1 + Math.floor(random() * 1500) })
  for (let i = 0; i < 15; i++) aims.push({ aim: 'disk', moment: moments(appending, 5) })
  for (let i = 0; i < 12; i++) aims.push({ aim: 'disk', moment: moments(rolling, 1) })
  for (let i = 0; i < 12; i++) aims.push({ aim: 'disk', moment: moments(saving, 1) })
  for (let i = 0; i < 6; i++) aims.push({ aim: pick(['snapshot', 'segment'] as const) })
  const shuffled = aims
    .map((aim) => [random(), aim] as const)
    .sort(([a], [b]) => a - b)
    .map(([, aim]) => aim)
  const dyingStarts = new Map(
    Array.from({ length: 20 }, (_, i) => [i * 5 + 2, moments(starting, 1)] as const),
  )
  return { aims: shuffled, dyingStarts, hasLeavers: true }
}

const appending = [['durableWrite', 'log-0']] as const
const rolling = [
  ['create', 'log-next'],
  ['write', 'log-next'],
  ['sync', 'log-next'],
  ['open', 'log-next'],
  ['durableWrite', 'log-next'],
  ['rename', 'log-next'],
  ['truncate', 'log-0'],
] as const
const saving = [
  ['create', 'snapshot-'],
  ['write', 'snapshot-'],
  ['sync', 'snapshot-'],
  ['rename', 'snapshot-'],
  ['unlink', 'snapshot-'],
  ['unlink', 'log-0'],
] as const
/** What recovery and the first epoch do. */
const starting = [
  ['sync', 'conclave-data'],
  ['sync', 'log-0'],
  ['write', 'log-0'],
  ['create', 'hard-state'],
  ['write', 'hard-state'],
  ['sync', 'hard-state'],
  ['rename', 'hard-state'],
  ['syncDirectory', 'data'],
] as const

const numbers = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
