import {
  type Acl,
  failure,
  type Failure,
  type MultiReadOp,
  type OpResult,
  type Stat,
} from '@conclave/protocol'
import { type As, decodeData } from './codecs.js'
import { BadArgumentsError, ConclaveError, errorOf, TooLargeError } from './errors.js'
import type { ReadOptions } from './options.js'
import type { RequestContext } from './request-context.js'
import { isLinearizable } from './request-fields.js'

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
  const ops = reads.map((read) => opOf(context, read))
  const { result, zxid } = await context.ask(
    { op: 'multiRead', reads: ops, linearizable: isLinearizable(options) },
    { path: null, paths: reads.map(pathOf) },
    options,
  )
  const missing = failure('internal', 'the server left out an answer')
  const outcomes = reads.map((read, i): ReadOutcome<unknown> => {
    const answer = result.results[i]
    const path = pathOf(read)
    const refuse = (said: Failure): ReadOutcome<unknown> => {
      const message = context.chroot.toClientText(said.message)
      return { ok: false, error: errorOf({ ...said, message }, { path, zxid }) }
    }
    if (answer === undefined) return refuse(missing)
    if (answer.failure !== null) return refuse(answer.failure)
    return valueOf(read, answer, zxid) ?? refuse(missing)
  })
  return outcomes as unknown as MultiReadOutcomes<R>
}

type Result = OpResult<'multiRead'>['results'][number]

const valueOf = (
  read: MultiReadRequest,
  { exists, getData, getChildren, getAcl }: Result,
  zxid: number,
): ReadOutcome<unknown> | null => {
  if ('get' in read && getData !== null) {
    try {
      const data = decodeData(getData.data, read.as, { path: read.get, zxid })
      return { ok: true, value: { data, stat: getData.stat } }
    } catch (error) {
      if (error instanceof ConclaveError) return { ok: false, error }
      throw error
    }
  }
  if ('exists' in read && exists !== null) return { ok: true, value: exists.stat }
  if ('getAcl' in read && getAcl !== null) return { ok: true, value: getAcl }
  if (!('list' in read) || getChildren === null) return null
  if (getChildren.cursor !== null) {
    const message = 'too many children for a multi-read; use list'
    return { ok: false, error: new TooLargeError({ message, path: read.list, zxid }) }
  }
  const children = getChildren.children.map(({ name }) => name)
  return { ok: true, value: { children, stat: getChildren.stat } }
}

const pathOf = (read: MultiReadRequest): string => {
  if ('get' in read) return read.get
  if ('exists' in read) return read.exists
  if ('list' in read) return read.list
  if ('getAcl' in read) return read.getAcl
  throw new BadArgumentsError({ message: 'a read is one of get, exists, list and getAcl' })
}

const opOf = ({ chroot }: RequestContext, read: MultiReadRequest): MultiReadOp => {
  const path = chroot.toServer(pathOf(read))
  if ('get' in read) return { op: 'getData', path }
  if ('exists' in read) return { op: 'exists', path }
  return 'list' in read ? { op: 'getChildren', path } : { op: 'getAcl', path }
}
