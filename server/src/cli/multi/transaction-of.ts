import {
  type Acl,
  BadArgumentsError,
  type Client,
  type Condition,
  type NameRef,
  ref,
  type Stat,
  type TransactionOperations,
  type WaitOptions,
} from '@conclave/client'
import type { CommandContext, PathKind } from '../command.js'
import { parseAcl } from '../output/acl.js'
import { UsageError } from '../usage-error.js'
import { atPlace } from './lines.js'
import type { MultiCondition, MultiPlan, MultiStep, Placed } from './plan.js'

/** What became of a multi: which list ran, and of each operation in it what it gave. */
export interface MultiDone {
  readonly branch: 'then' | 'else'
  readonly steps: readonly {
    readonly op: MultiStep['op']
    /** As the servers know it, or as written when it refers to an earlier create. */
    readonly path: string
    /** Of a create the path, of a set or acl the stat, null otherwise. */
    readonly result: string | Stat | null
  }[]
}

/** @throws UsageError that names the place, and what the servers refuse */
export const runPlan = async (
  client: Client,
  plan: MultiPlan,
  { path, wait }: { readonly path: CommandContext['path']; readonly wait: WaitOptions },
): Promise<MultiDone> => {
  const guarded = client.transaction()
  for (const { part, place } of plan.fences) {
    located(place, () => guarded.add({ path: path(part.path), czxid: part.czxid }))
  }
  const conditions = plan.if.map(({ part, place }) =>
    located(place, () => conditionOf(part, path(part.path))),
  )
  const { branch, results } = await guarded
    .if(
      conditions,
      (then) => withSteps(then, plan.then, path),
      (otherwise) => withSteps(otherwise, plan.else, path),
    )
    .commit(wait)
  let next = 0
  const steps = plan[branch].map(({ part: { op, path: written } }) => {
    const result = op === 'check' ? null : (results[next++] as string | Stat | null)
    if (typeof result === 'string') return { op, path: result, result }
    return { op, path: isReference(written) ? written : path(written), result }
  })
  return { branch, steps }
}

const withSteps = (
  operations: TransactionOperations,
  steps: readonly Placed<MultiStep>[],
  path: CommandContext['path'],
): TransactionOperations<readonly unknown[]> => {
  for (const { part, place } of steps) {
    const isPrefix = part.op === 'create' && /sequential/i.test(part.kind ?? '')
    located(place, () => addStep(operations, part, (text) => pathOf(text, path, { isPrefix })))
  }
  return operations
}

/** What is refused before it is sent, with its place. */
const located = <T>(place: string, build: () => T): T =>
  atPlace(place, () => {
    try {
      return build()
    } catch (error) {
      throw error instanceof BadArgumentsError ? new UsageError(error.message) : error
    }
  })

const conditionOf = (
  { exists, version, czxid, ephemeralOwner, ...said }: MultiCondition,
  path: string,
): Condition => {
  const isSaid = said.data !== undefined || said.dataBase64 !== undefined
  const value = isSaid ? (dataOf(said) as Uint8Array) : undefined
  return { path, exists, version, value, czxid, ephemeralOwner }
}

const addStep = (
  transaction: TransactionOperations,
  step: MultiStep,
  at: (text: string) => string | NameRef,
): void => {
  switch (step.op) {
    case 'create': {
      const { kind, ttlMs } = step
      const entries = step.acl === undefined ? {} : { acl: aclOf(step.acl) }
      transaction.create(at(step.path), dataOf(step), { kind, ttlMs, ...entries })
      return
    }
    case 'set':
      transaction.set(at(step.path), dataOf(step), { version: step.version })
      return
    case 'delete':
      transaction.delete(at(step.path), { version: step.version })
      return
    case 'check':
      transaction.check(at(step.path), { version: step.version })
      return
    case 'acl':
      transaction.setAcl(at(step.path), aclOf(step.acl), { version: step.version })
      return
  }
}

const pathOf = (text: string, path: CommandContext['path'], kind: PathKind): string | NameRef => {
  const [, index, suffix = ''] = reference.exec(text) ?? []
  return index === undefined ? path(text, kind) : ref(Number(index), suffix)
}

/** `$0/state`. */
const reference = /^\$(\d+)(\/.*)?$/s
const isReference = (text: string): boolean => reference.test(text)

const dataOf = ({ data, dataBase64, dataRef }: Payload): Uint8Array | NameRef | null => {
  if ([data, dataBase64, dataRef].filter((given) => given !== undefined).length > 1) {
    throw new UsageError('only one of data, dataBase64 and dataRef can be meant')
  }
  if (dataRef !== undefined) return ref(dataRef)
  if (dataBase64 !== undefined) return new Uint8Array(Buffer.from(dataBase64, 'base64'))
  return data === undefined ? null : new TextEncoder().encode(data)
}

const aclOf = (entries: NonNullable<Extract<MultiStep, { op: 'acl' }>['acl']>): Acl =>
  entries.flatMap((entry) => (typeof entry === 'string' ? parseAcl([entry]) : [entry]))

interface Payload {
  readonly data?: string | undefined
  readonly dataBase64?: string | undefined
  readonly dataRef?: number | undefined
}
