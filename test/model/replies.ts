import type {
  ChangeType,
  Identity,
  Op,
  OpResult,
  ServerFrameOf,
  WatchKind,
  WriteOp,
} from '@conclave/protocol'
import { grants, openToAll } from './access.js'
import type { Awaited, ModelConnection } from './connections.js'
import { agree, Disagreement, same } from './disagreement.js'
import type { Refusal } from './faults.js'
import { type Answer, page, read } from './reads.js'
import type { Session } from './sessions.js'
import { ModelStream } from './streams.js'
import type { State, Tree, Who } from './tree.js'
import { fire, type WatchEvent, type Watches } from './watches.js'

/** What the identity of a user is: the hash of the password is no business of the model. */
export type IdentityOf = (user: string, password: string) => Identity

interface Context {
  readonly connection: ModelConnection
  readonly session: Session
  readonly actual: unknown
}

interface Expected {
  readonly answer: { readonly failure: Refusal | null; readonly result: unknown }
  /** The server's result without what is opaque, when the operation has such. */
  readonly actual?: unknown
}

/** What a request must be answered, given the state that the reply names. */
export class Replies {
  readonly #states: readonly State[]
  readonly #identityOf: IdentityOf
  readonly #seen: (what: string) => void
  /** Where the next page begins, by path and cursor. */
  readonly #cursors = new Map<string, number>()
  /** All after this is known to the history of the server. */
  historyFrom = 0

  constructor(states: readonly State[], identityOf: IdentityOf, seen: (what: string) => void) {
    this.#states = states
    this.#identityOf = identityOf
    this.#seen = seen
  }

  to({ xid, op, by }: Awaited, frame: ServerFrameOf<'reply'>, context: Context): Expected {
    const { connection, session } = context
    if (by === 'logged') {
      const result = session.results.get(xid)
      if (result === null || result === undefined) {
        throw new Disagreement(`reply to ${xid} before it is logged`)
      }
      agree(frame.zxid >= result.zxid, () => `reply to ${xid} is older than its txn`)
      connection.barrier(frame.zxid)
      return { answer: { failure: result.failure, result: result.result } }
    }
    if (by !== 'state') {
      connection.barrier(frame.zxid)
      return { answer: { failure: by, result: null } }
    }
    if (op.op !== 'rearmWatches') connection.barrier(frame.zxid)
    const tree = this.#states[frame.zxid]?.tree ?? new Map()
    const who: Who = { sessionId: session.id, identities: connection.identities }
    return this.#answer(tree, op as Exclude<Op, WriteOp>, who, { ...context, zxid: frame.zxid })
  }

  #answer(
    tree: Tree,
    op: Exclude<Op, WriteOp>,
    who: Who,
    context: Context & { readonly zxid: number },
  ): Expected {
    const { connection } = context
    switch (op.op) {
      case 'auth':
        return this.#auth(op, connection)
      case 'watch':
        return this.#watch(tree, op, who, context)
      case 'unwatch':
        connection.streams.delete(op.streamId)
        return answered({ result: {} })
      case 'removeWatches':
        return answered(removeWatches(connection.watches, op))
      case 'rearmWatches':
        this.#rearm(tree, op, context)
        return answered({ result: {} })
      case 'getChildren':
        return this.#page(tree, op, who, context)
      default: {
        const cursor = 'cursor' in op ? op.cursor : null
        const answer = read(tree, op, who)
        const isRead = !('code' in answer)
        if (cursor !== null && isRead) return answered({ code: 'badArguments', index: null })
        if ('watch' in op && op.watch && isRead) connection.watches.add(`data ${op.path}`)
        return { ...answered(answer), actual: plainResult(op.op, context.actual) }
      }
    }
  }

  #auth({ user, password }: Op<'auth'>, connection: ModelConnection): Expected {
    const identity = this.#identityOf(user, password)
    connection.identities = withIdentity(connection.identities, identity)
    return answered({ result: { identity } })
  }

  #page(tree: Tree, op: Op<'getChildren'>, who: Who, context: Context): Expected {
    const key = (cursor: Uint8Array) => `${op.path} ${Buffer.from(cursor).toString('hex')}`
    const from = op.cursor === null ? 0 : this.#cursors.get(key(op.cursor))
    const { answer, next } = page(tree, op, who, from ?? 0)
    if ('code' in answer) return answered(answer)
    if (from === undefined) return answered({ code: 'badArguments', index: null })
    if (op.watch) context.connection.watches.add(`child ${op.path}`)
    const actual = context.actual as OpResult<'getChildren'> | null
    if (actual === null) return answered(answer)
    same(actual.cursor !== null, next !== null, `whether the page of ${op.path} has a cursor`)
    if (actual.cursor !== null && next !== null) {
      this.#cursors.set(key(actual.cursor), next)
      this.#seen('getChildren with a cursor')
    }
    if (op.cursor !== null) this.#seen('getChildren from a cursor')
    return { ...answered(answer), actual: { ...actual, cursor: null } }
  }

  #watch(
    tree: Tree,
    op: Op<'watch'>,
    who: Who,
    { connection, actual, zxid }: Context & { readonly zxid: number },
  ): Expected {
    const refused = (code: Refusal['code']) => answered({ code, index: null })
    if (connection.streams.has(op.streamId)) return refused('badArguments')
    const znode = tree.get(op.path)
    if (znode !== undefined && !grants(znode.acl, who.identities, 'read')) return refused('noAuth')
    if (actual === null) return answered({ result: {} })
    const { position } = actual as OpResult<'watch'>
    const start = this.#startOf(op, zxid)
    connection.streams.set(op.streamId, new ModelStream(op, this.#states, start))
    if (op.from === null) {
      same({ ...position, ensembleId: '' }, { ensembleId: '', ...wholeOf(zxid) }, 'its position')
    }
    this.#seen(start.gapFrom === null ? 'watch without a gap' : 'watch with a gap')
    return answered({ result: actual })
  }

  #startOf({ from }: Op<'watch'>, zxid: number) {
    if (from === null) return { ...wholeOf(zxid), gapFrom: null }
    const isOurs = !from.ensembleId.startsWith('other')
    if (!isOurs || from.zxid > zxid) return { ...wholeOf(zxid), gapFrom: 0 }
    // Of the last txn that is gone the rest is gone too.
    const isWhole = from.index === Number.MAX_SAFE_INTEGER || this.historyFrom === 0
    const isKnown = from.zxid > this.historyFrom || (from.zxid === this.historyFrom && isWhole)
    return { zxid: from.zxid, index: from.index, gapFrom: isKnown ? null : from.zxid }
  }

  #rearm(
    tree: Tree,
    op: Op<'rearmWatches'>,
    { connection, zxid }: Context & { readonly zxid: number },
  ): void {
    const armed: Watches = new Set()
    for (const path of [...op.data, ...op.exists]) armed.add(`data ${path}`)
    for (const path of op.child) armed.add(`child ${path}`)
    const isKnown = op.fromZxid >= this.historyFrom
    const missed = isKnown
      ? this.#states
          .slice(op.fromZxid + 1, zxid + 1)
          .flatMap((state) => fire(armed, state, connection.identities))
      : judgedByStats({ tree, zxid }, op, connection.identities, armed)
    connection.barrier(zxid, missed)
    for (const watch of armed) connection.watches.add(watch)
    const how = isKnown ? 'by history' : 'by stats'
    if (missed.length > 0) this.#seen(`rearm fires ${how}`)
    if (armed.size > 0) this.#seen(`rearm arms ${how}`)
  }
}

export const withIdentity = (
  identities: readonly Identity[],
  identity: Identity,
): readonly Identity[] =>
  identities.some(({ id }) => id === identity.id) ? identities : [...identities, identity]

const answered = (answer: Answer): Expected =>
  'code' in answer
    ? { answer: { failure: answer, result: null } }
    : { answer: { failure: null, result: answer.result } }

const wholeOf = (zxid: number) => ({ zxid, index: Number.MAX_SAFE_INTEGER })

/** The messages of failures are for people. */
const plainResult = (name: Op['op'], actual: unknown): unknown => {
  if (name !== 'multiRead' || actual === null) return undefined
  const results = (actual as OpResult<'multiRead'>).results.map((one) => ({
    ...one,
    failure: one.failure && { code: one.failure.code, index: one.failure.index },
  }))
  return { results }
}

const removeWatches = (watches: Watches, { path, kind }: Op<'removeWatches'>): Answer => {
  const kinds = kind === 'any' ? (['data', 'child'] as const) : [kind]
  const gone = kinds.filter((one) => watches.delete(`${one} ${path}`))
  return gone.length > 0 ? { result: {} } : { code: 'noWatcher', index: null }
}

/** Beyond the reach of history: only what the stats show. */
const judgedByStats = (
  { tree, zxid }: Pick<State, 'tree' | 'zxid'>,
  { fromZxid, data, exists, child }: Op<'rearmWatches'>,
  identities: readonly Identity[],
  armed: Watches,
): WatchEvent[] => {
  const due: { kinds: readonly WatchKind[]; type: ChangeType; path: string; zxid: number }[] = []
  const gone = (path: string): void => {
    const kinds = (['data', 'child'] as const).filter((kind) => armed.has(`${kind} ${path}`))
    due.push({ kinds, type: 'deleted', path, zxid })
  }
  for (const path of data) {
    const znode = tree.get(path)
    if (znode === undefined) gone(path)
    else if (znode.mzxid > fromZxid) {
      due.push({ kinds: ['data'], type: 'dataChanged', path, zxid: znode.mzxid })
    }
  }
  for (const path of exists) {
    const znode = tree.get(path)
    if (znode !== undefined) due.push({ kinds: ['data'], type: 'created', path, zxid: znode.czxid })
  }
  for (const path of child) {
    const znode = tree.get(path)
    if (znode === undefined) gone(path)
    else if (znode.pzxid > fromZxid) {
      due.push({ kinds: ['child'], type: 'childrenChanged', path, zxid: znode.pzxid })
    }
  }
  const events: WatchEvent[] = []
  for (const { kinds, ...event } of due.sort((a, b) => a.zxid - b.zxid)) {
    const acl = tree.get(event.path)?.acl ?? openToAll
    if (!grants(acl, identities, 'read')) continue
    const [kind] = kinds.filter((one) => armed.delete(`${one} ${event.path}`))
    if (kind !== undefined) events.push({ frame: 'event', kind, ...event })
  }
  return events
}
