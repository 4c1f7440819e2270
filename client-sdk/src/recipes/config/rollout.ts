import { anything, checked, type Checks, duration, isSignal } from '../../checked.js'
import type { Client } from '../../client.js'
import { BadArgumentsError, ClosedError, UndecodableError } from '../../errors.js'
import type { WaitOptions } from '../../options.js'
import type { TreeCache } from '../tree-cache.js'
import { orAborted, pause, within } from '../waiting.js'
import { startedStages } from './drift.js'
import { type NodeState, watchNodes } from './nodes.js'
import { isChosen, type RolloutStage } from './stages.js'
import type { HeadSeen, RolloutState, Versions } from './versions.js'

/** How a rollout is judged. */
export interface RolloutOptions {
  /** Ends the operator's part only: the rollout stands as it is, and can be resumed. */
  readonly signal?: AbortSignal | undefined
  /**
   * Asked once for each stage, after it has settled. False, or what it throws, takes all nodes back
   * to the version before.
   */
  readonly healthy: (stage: SettledStage) => boolean | Promise<boolean>
  /** How long a stage is left to itself once all its nodes run it, in ms; 10,000 by default. */
  readonly settleMs?: number | undefined
  /** How long the nodes of a stage may take to run it, in ms; 60,000 by default. */
  readonly applyMs?: number | undefined
}

/** A stage that has settled. */
export interface SettledStage {
  readonly version: number
  readonly stage: RolloutStage
  /** Those of this stage and of the ones before: all run the version. */
  readonly nodes: readonly NodeState[]
}

export interface RolloutResult {
  readonly outcome: 'finished' | 'rolledBack'
  /** The one that counts now: the new one, or one that brings back what was before. */
  readonly version: number
  /** Why it was rolled back; null when it was not. */
  readonly reason: string | null
  /** What `healthy` threw. */
  readonly cause?: unknown
}

const rolloutChecks: Checks<RolloutOptions> = {
  signal: isSignal,
  healthy: anything,
  settleMs: duration,
  applyMs: duration,
}

/** @throws BadArgumentsError */
export const judgingOf = (given: RolloutOptions): RolloutOptions => {
  const options = checked(given, rolloutChecks)
  if (typeof options.healthy === 'function') return options
  throw new BadArgumentsError({ message: 'the option healthy is a function' })
}

const settleMsDefault = 10_000
const applyMsDefault = 60_000

/** Where a rollout takes place. */
export interface Ground {
  readonly client: Client
  readonly path: string
  readonly versions: Versions
  /** Who writes. */
  readonly id: string | null
}

type Judging = RolloutOptions & { readonly signal: AbortSignal }

/** Why a version must not go further. */
interface Trouble {
  readonly reason: string
  readonly cause?: unknown
}

/**
 * Takes the rollout that stands in `head` to its end. All that is known of it stands there, and
 * each step names what it was decided on: another operator may do the same, or go on when this one
 * is gone.
 */
export const drive = async (
  ground: Ground,
  version: number,
  options: RolloutOptions,
): Promise<RolloutResult> => {
  const signal = options.signal ?? new AbortController().signal
  await using cache = watchNodes(ground.client, ground.path)
  await orAborted(cache.ready, signal)
  for (;;) {
    const head = await ground.versions.head({ signal, consistency: 'linearizable' })
    const { rollout } = head
    if (rollout?.version !== version) return resultOf(ground, head, { version, signal })
    const trouble = await judge(ground.client, cache, rollout, { ...options, signal })
    if (trouble === null) {
      const isLast = rollout.stage + 1 === rollout.stages.length
      const next = isLast
        ? { version, rollout: null }
        : { version: head.version, rollout: { ...rollout, stage: rollout.stage + 1 } }
      await ground.versions.move(head, next, { signal })
      continue
    }
    const back = await abandon(ground, head, { note: trouble.reason, wait: { signal } })
    if (back !== null) return { outcome: 'rolledBack', version: back, ...trouble }
  }
}

/**
 * Ends the rollout under way: all get what was before, as a new version, for no node goes back.
 *
 * @returns its number; null when another has written since
 */
export const abandon = async (
  { versions, id }: Ground,
  head: HeadSeen,
  about: { readonly note: string | null; readonly wait: WaitOptions },
): Promise<number | null> => {
  const before = await versions.entry(head.version, about.wait)
  if (before === null) {
    const message = 'the version before the rollout is gone: write a new one'
    throw new UndecodableError({ path: versions.pathOf(head.version), message })
  }
  const entry = {
    document: before.document,
    by: id,
    note: about.note,
    restores: head.version,
    abandons: head.rollout?.version ?? null,
  }
  const headOf = (version: number) => ({ version, rollout: null })
  return versions.write(head, entry, { headOf, wait: about.wait })
}

/** Null when the stage is as it should be. */
const judge = async (
  client: Client,
  cache: TreeCache<NodeState>,
  rollout: RolloutState,
  options: Judging,
): Promise<Trouble | null> => {
  const { signal, settleMs = settleMsDefault, applyMs = applyMsDefault } = options
  const applied = await untilApplied(client, cache, rollout, { signal, timeoutMs: applyMs })
  if ('reason' in applied) return applied
  const { nodes } = applied
  await pause(client.clock, settleMs, signal)
  signal.throwIfAborted()
  const { version } = rollout
  const running = new Set(
    chosenNodes(cache, rollout).flatMap((node) => (node.version === version ? node.id : [])),
  )
  const lost = nodes.find(({ id }) => !running.has(id))
  if (lost !== undefined) return { reason: `${lost.id} ran version ${version} and is gone` }
  const stage = rollout.stages[rollout.stage] as RolloutStage
  try {
    const isHealthy = await options.healthy({ version, stage, nodes })
    return isHealthy ? null : { reason: `version ${version} was found not healthy` }
  } catch (cause) {
    signal.throwIfAborted()
    return { reason: `version ${version} could not be found healthy`, cause }
  }
}

type Applied = Trouble | { readonly nodes: readonly NodeState[] }

const untilApplied = async (
  client: Client,
  cache: TreeCache<NodeState>,
  rollout: RolloutState,
  wait: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Applied> => {
  try {
    return await within(client, wait, async (signal) => {
      const first = whenApplied(cache, rollout)
      if (first !== null) return first
      // oxlint-disable-next-line no-unused-vars -- what happened is in the cache
      for await (const _ of cache.events({ signal })) {
        const applied = whenApplied(cache, rollout)
        if (applied !== null) return applied
      }
      throw new ClosedError()
    })
  } catch (error) {
    wait.signal.throwIfAborted()
    const isLate = error instanceof DOMException && error.name === 'TimeoutError'
    if (!isLate) throw error
    const late = chosenNodes(cache, rollout).find((node) => node.version !== rollout.version)
    return { reason: `${late?.id ?? 'a node'} did not run version ${rollout.version} in time` }
  }
}

/** Null while some do not run it yet. */
const whenApplied = (cache: TreeCache<NodeState>, rollout: RolloutState): Applied | null => {
  const { version } = rollout
  const nodes = chosenNodes(cache, rollout)
  const refusing = nodes.find(({ refused }) => refused === version)
  if (refusing !== undefined) return { reason: `${refusing.id} cannot read version ${version}` }
  return nodes.every((node) => node.version === version) ? { nodes } : null
}

const chosenNodes = (cache: TreeCache<NodeState>, rollout: RolloutState): readonly NodeState[] => {
  const started = startedStages(rollout)
  const nodes = [...cache.entries()].flatMap(({ value }) => value ?? [])
  return nodes.filter((node) => isChosen(node, started)).sort(byId)
}

const byId = (a: NodeState, b: NodeState): number => (a.id < b.id ? -1 : 1)

/** Others have ended it, or this one has by a step before. */
const resultOf = async (
  { versions }: Ground,
  head: HeadSeen,
  about: { readonly version: number; readonly signal: AbortSignal },
): Promise<RolloutResult> => {
  const { version, signal } = about
  // While a rollout stands nothing else is written: the next version is what ended it, or later.
  const next = await versions.entry(version + 1, { signal })
  if (next?.abandons !== version)
    return { outcome: 'finished', version: head.version, reason: null }
  return { outcome: 'rolledBack', version: head.version, reason: next.note }
}
