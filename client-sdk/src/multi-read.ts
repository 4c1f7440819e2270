import {
  type Acl,
  failure,
  type Failure,
  type MultiReadOp,
  type OpResult,
  type Stat,
} from '@conclave/protocol'
import { anything, checked, type Checks } from './checked.js'
import { type As, type Codec, codecOf, decodeData } from './codecs.js'
import { BadArgumentsError, ConclaveError, errorOf, TooLargeError } from './errors.js'
import { isLinearizable, type ReadOptions } from './options.js'
import type { RequestContext } from './request-context.js'

/** One read of a multi-read: the key says which, its value is the path. */
export type MultiReadRequest =
  | { readonly get: string; readonly as?: As<unknown> | undefined }
  | { readonly exists: string }
  | { readonly list: string }
  | { readonly getAcl: string }

/** What one read of a multi-read gave: each has its own error. */
export type ReadOutcome<V> =
  | { readonly ok: true; readonly value: V }
  | { readonly ok: false; readonly error: ConclaveError }

type ValueOf<R> = R extends { readonly get: string }
  ? { readonly data: R extends { readonly as: As<infer T> } ? T : Uint8Array; readonly stat: Stat }
  : R extends { readonly exists: string }
    ? Stat | null
    : R extends { readonly list: string }
      ? { readonly children: readonly string[]; readonly stat: Stat }
      : { readonly acl: Acl; readonly stat: Stat }

/** The outcomes of a list of reads, in its order. */
export type MultiReadOutcomes<R extends readonly MultiReadRequest[]> = {
  readonly [I in keyof R]: ReadOutcome<ValueOf<R[I]>>
}

export const multiRead = async <R extends readonly MultiReadRequest[]>(
  context: RequestContext,
  reads: R,
  options: ReadOptions,
): Promise<MultiReadOutcomes<R>> => {
  if (!Array.isArray(reads)) {
    throw new BadArgumentsError({ message: 'a multi-read takes a list of reads' })
  }
  const rows = (reads as readonly MultiReadRequest[]).map((read) => rowOf(context, read))
  const ops = rows.map(({ op }) => op)
  const op = { op: 'multiRead', reads: ops, linearizable: isLinearizable(options) } as const
  const { result, zxid } = await context.within(options, (wait) =>
    context.ask(op, { path: null }, wait),
  )
  const outcomes = rows.map((row, i): ReadOutcome<unknown> => {
    const { path } = row
    const refuse = (said: Failure): ReadOutcome<unknown> => {
      const message = context.chroot.toClientText(said.message)
      return { ok: false, error: errorOf({ ...said, message }, { path, zxid }) }
    }
    const answer = result.results[i]
    if (answer === undefined) return refuse(missing)
    if (answer.failure !== null) return refuse(answer.failure)
    return valueOf(row, answer, zxid) ?? refuse(missing)
  })
  return outcomes as unknown as MultiReadOutcomes<R>
}

const missing = failure('internal', 'the server left out an answer')

interface Row {
  /** As the caller named it. */
  readonly path: string
  readonly codec: Codec<unknown>
  readonly op: MultiReadOp
}

type Result = OpResult<'multiRead'>['results'][number]

const valueOf = (
  { op: { op }, path, codec }: Row,
  { exists, getData, getChildren, getAcl }: Result,
  zxid: number,
): ReadOutcome<unknown> | null => {
  if (op === 'getData' && getData !== null) {
    try {
      const data = decodeData(getData.data, codec, { path, zxid })
      return { ok: true, value: { data, stat: getData.stat } }
    } catch (error) {
      if (error instanceof ConclaveError) return { ok: false, error }
      throw error
    }
  }
  if (op === 'exists' && exists !== null) return { ok: true, value: exists.stat }
  if (op === 'getAcl' && getAcl !== null) return { ok: true, value: getAcl }
  if (op !== 'getChildren' || getChildren === null) return null
  if (getChildren.cursor !== null) {
    const message = 'too many children for a multi-read; use list'
    return { ok: false, error: new TooLargeError({ message, path, zxid }) }
  }
  const children = getChildren.children.map(({ name }) => name)
  return { ok: true, value: { children, stat: getChildren.stat } }
}

const kinds = { get: 'getData', exists: 'exists', list: 'getChildren', getAcl: 'getAcl' } as const
type Kind = keyof typeof kinds

const rowChecks: Checks<Record<Kind | 'as', unknown>> = {
  get: anything,
  exists: anything,
  list: anything,
  getAcl: anything,
  as: anything,
}

const rowOf = ({ chroot }: RequestContext, read: MultiReadRequest): Row => {
  const given = checked<Partial<Record<Kind | 'as', unknown>>>(read, rowChecks, 'field of a read')
  const [kind, ...others] = (Object.keys(kinds) as Kind[]).filter((key) => key in given)
  if (kind === undefined || others.length > 0 || (kind !== 'get' && given.as !== undefined)) {
    const message = 'a read is one of { get, as }, { exists }, { list } and { getAcl }'
    throw new BadArgumentsError({ message })
  }
  const path = given[kind] as string
  const op = { op: kinds[kind], path: chroot.toServer(path) } as const
  return { path, codec: codecOf(given.as as As<unknown> | undefined), op }
}
