import { isDeepStrictEqual } from 'node:util'
import { ConclaveError } from '#client/index.js'
import { decodeResult, type Stat, type WriteOp } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { Told } from './exactly-once-writer.js'
import { LogModel, type ModelReply } from './log-model.js'
import type { SeenWrite, WireSpy } from './wire-spy.js'

/** A client, what passed on its wire, and what its caller was told. */
export interface Participant {
  readonly sessionId: number
  readonly spy: WireSpy
  readonly told: readonly Told[]
  /** How many of its first writes were called by nobody that is asked here. */
  readonly prepared: number
}

export interface GroundTruth {
  /** One sentence for each write whose client was told something else than the log has. */
  readonly faults: readonly string[]
  readonly counts: Readonly<Record<'acknowledged' | 'refused' | 'ran' | 'neverRan', number>>
  readonly model: LogModel
}

/**
 * Replays the log from its first txn by a model that knows only the rules, and compares what each
 * client must have been told with what it was told, on the wire and by the promise.
 */
export const groundTruth = (
  txns: ReadonlyMap<number, Txn>,
  participants: readonly Participant[],
): GroundTruth => {
  const model = new LogModel()
  const faults: string[] = []
  const bySession = new Map(participants.map((each) => [each.sessionId, each]))
  const logged = new Map<string, ModelReply>()
  for (let zxid = 1; zxid <= txns.size; zxid++) {
    const txn = txns.get(zxid)
    if (txn === undefined) throw new Error(`the log has ${txns.size} txns, but no ${zxid}`)
    const { sessionId, xid } = txn
    const owner = bySession.get(sessionId)
    const seen = owner?.spy.writes.get(xid)
    const key = `${sessionId}.${xid}`
    if (owner !== undefined && seen === undefined) faults.push(`${key} was never sent`)
    if (sessionId > 0 && logged.has(key)) faults.push(`${key} is in the log twice`)
    const reply = model.apply(txn, seen?.op ?? strangersOp(txn))
    if (sessionId > 0 && reply !== null) logged.set(key, reply)
  }
  const counts = { acknowledged: 0, refused: 0, ran: 0, neverRan: 0 }
  for (const { sessionId, spy, told, prepared } of participants) {
    let number = -prepared
    for (const [xid, write] of spy.writes) {
      const reply = logged.get(`${sessionId}.${xid}`) ?? null
      const { op } = write.op
      const at = `${sessionId}.${xid} ${op}`
      const call = told[number++]
      // Who goes does not wait to hear of it.
      const isCalled = call !== undefined || op === 'closeSession'
      if (number > 0 && !isCalled) faults.push(`${at}: nobody called it`)
      const wrong = wireFault(write, reply) ?? (call && promiseFault(write.op, call, reply))
      if (typeof wrong === 'string') faults.push(`${at}: ${wrong}`)
      counts[verdictOf(write, reply)] += 1
    }
  }
  return { faults, counts, model }
}

const verdictOf = (
  { replies }: SeenWrite,
  reply: ModelReply | null,
): keyof GroundTruth['counts'] => {
  if (replies.length === 0) return reply === null ? 'neverRan' : 'ran'
  return reply?.failure === null ? 'acknowledged' : 'refused'
}

const wireFault = ({ op, replies }: SeenWrite, reply: ModelReply | null): string | null => {
  for (const { failure, result } of replies) {
    if (reply === null) {
      if (failure === null || !unlogged.has(failure.code)) return 'it was answered and not logged'
    } else if (failure !== null || reply.failure !== null) {
      const { code = null, index = null } = failure ?? {}
      const wanted = reply.failure ?? { code: null, index: null }
      if (code !== wanted.code || index !== wanted.index) return `${code}, not ${wanted.code}`
    } else {
      const seen: unknown = decodeResult(op.op, result)
      if (!isDeepStrictEqual(seen, reply.result)) {
        return `${JSON.stringify(seen)}, not ${JSON.stringify(reply.result)}`
      }
    }
  }
  return null
}

const promiseFault = (op: WriteOp, told: Told, reply: ModelReply | null): string | null => {
  const { isSettled, error, value } = told
  if (!isSettled) return 'its promise has not settled'
  if (error === null) {
    if (reply?.failure !== null) return 'its promise was kept, the log has no such success'
    const promised = promisedBy(op, reply.result)
    if (isKept(value, promised)) return null
    return `promised ${JSON.stringify(promised)}, given ${JSON.stringify(value)}`
  }
  if (!(error instanceof ConclaveError)) return 'its promise was broken otherwise'
  if (error.outcome === 'unknown') return null
  if (reply === null) return error.outcome === 'notExecuted' ? null : 'it said that it ran'
  return reply.failure?.code === error.code ? null : `it was told ${error.code}`
}

/** What the SDK makes of the result. */
const promisedBy = (op: WriteOp, result: unknown): unknown => {
  const { path, stat, results } = result as Partial<Made> & { readonly results?: readonly Made[] }
  switch (op.op) {
    case 'create':
      return { path, stat }
    case 'setData':
      return stat
    case 'multi':
      return results?.flatMap((part) => (part.stat === null ? [] : [part.path ?? part.stat]))
    default:
      return undefined
  }
}

interface Made {
  readonly path: string | null
  readonly stat: Stat | null
}

/** A create may be asked for its path alone. */
const isKept = (value: unknown, promised: unknown): boolean =>
  typeof value === 'string'
    ? value === (promised as Made).path
    : typeof value === 'object' && value !== null
      ? isDeepStrictEqual(pick(value, promised), promised)
      : value === promised

/** Of a value that may say more, or less when it was not asked: what of the promise it holds. */
const pick = (value: object, promised: unknown): unknown => {
  if (Array.isArray(value)) {
    return value.map((each: unknown, i) =>
      typeof each === 'object' && each !== null
        ? pick(each, (promised as readonly unknown[])[i])
        : each,
    )
  }
  return Object.fromEntries(
    Object.entries(promised as object).map(([name]) => [
      name,
      plain((value as Readonly<Record<string, unknown>>)[name]),
    ]),
  )
}

const plain = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? { ...value } : value

/** Of a client that only made an ephemeral: what it must have sent. */
const strangersOp = ({ sessionId, body }: Txn): WriteOp | null => {
  if (sessionId === 0) return null
  const change = body.body === 'write' ? body.changes[0] : undefined
  if (change?.change !== 'create') throw new Error(`a stranger's txn: ${body.body}`)
  const { path, data, kind, ttlMs } = change
  return { op: 'create', path, data, kind, acl: null, ttlMs }
}

const unlogged: ReadonlySet<string> = new Set([
  'badArguments',
  'tooLarge',
  'throttled',
  'noSpace',
  'sessionMoved',
  'closing',
  'notExecuted',
])
