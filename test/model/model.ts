import {
  type ClientFrameOf,
  isNameRef,
  isWrite,
  type Op,
  type ServerFrame,
} from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { type Awaited, ModelConnection, type World } from './connections.js'
import { agree, Disagreement, same, shown } from './disagreement.js'
import { Draft, type Piece } from './draft.js'
import { faultOf } from './faults.js'
import { type IdentityOf, Replies, withIdentity } from './replies.js'
import { forget, newSession, type Session } from './sessions.js'
import { root, type State, type Tree, type Who, type Znode } from './tree.js'
import { decide } from './writes.js'

/**
 * One server as docs/SPEC.md has it, slow and plain. It is told what is sent to the real one and
 * says what must come back. What the rules leave open is the order in which requests of several
 * connections, and deletes of the system, get their zxids: that is taken from the log.
 */
export class Model implements World {
  readonly states: State[] = [{ zxid: 0, tree: new Map([['/', root]]), events: [] }]
  readonly replies: Replies
  readonly seen: (what: string) => void
  readonly sessions = new Map<number, Session>()
  readonly connections = new Map<number, ModelConnection>()
  hasSpace = true
  timeMs = 0
  epoch = 1
  readonly #identityOf: IdentityOf
  readonly #proposed: () => readonly Txn[]
  /** Connections that wait for the txn of their session, by nonce. */
  readonly #opening = new Map<string, ModelConnection>()
  readonly #wished = new Map<string, ClientFrameOf<'connect'>>()
  /** For how many ticks the system could have deleted a znode, by path and czxid. */
  #overdue = new Map<string, number>()

  /** `proposed`: what the server wants to have logged and is not durable yet. */
  constructor(
    identityOf: IdentityOf,
    seen: (what: string) => void,
    proposed: () => readonly Txn[],
  ) {
    this.seen = seen
    this.#proposed = proposed
    this.#identityOf = identityOf
    this.replies = new Replies(this.states, identityOf, seen)
  }

  get tree(): Tree {
    return this.states.at(-1)?.tree ?? new Map()
  }

  get zxid(): number {
    return this.states.length - 1
  }

  opens(id: number, name: string): ModelConnection {
    const connection = new ModelConnection(name, '127.0.0.1', this)
    this.connections.set(id, connection)
    return connection
  }

  connects(connection: ModelConnection, frame: ClientFrameOf<'connect'>): void {
    const nonce = Buffer.from(frame.nonce).toString('hex')
    const expired = (reason: 'unknown' | 'wrongNonce' | 'otherEnsemble' | 'historyLost') => {
      connection.greeting = { is: 'sessionExpired', reason }
      connection.ending = 'sessionEnded'
    }
    if (frame.ensembleId?.startsWith('other')) return expired('otherEnsemble')
    const isNew = frame.sessionId === 0
    const session = isNew ? this.#living(nonce) : this.sessions.get(frame.sessionId)
    if (session === undefined && isNew && !this.hasSpace) {
      connection.greeting = { is: 'closing' }
      connection.ending = 'noSpace'
      return
    }
    if (session === undefined && isNew) {
      this.#opening.set(nonce, connection)
      this.#wished.set(nonce, frame)
      connection.greeting = { is: 'connected', resumed: false }
      return
    }
    if (session === undefined) return expired('unknown')
    if (session.nonce !== nonce) return expired('wrongNonce')
    if (frame.lastZxidSeen > this.zxid) return expired('historyLost')
    this.#attaches(connection, session, frame)
  }

  #attaches(
    connection: ModelConnection,
    session: Session,
    { attach, ackedXid }: ClientFrameOf<'connect'>,
  ): void {
    if (session.end === null && attach < session.attach) {
      connection.greeting = { is: 'closing' }
      connection.ending = 'sessionMoved'
      return
    }
    session.ackedXid = Math.max(session.ackedXid, ackedXid)
    connection.session = session
    if (session.end !== null) {
      connection.greeting = { is: 'sessionExpired', reason: session.end }
      connection.ending = 'sessionEnded'
      return
    }
    const others = [...this.connections.values()].filter((one) => one !== connection)
    const older = others.filter((one) => one.session === session)
    if (this.#isClosing(session)) {
      this.seen('connect while the session is closed')
      connection.greeting = { is: 'awaited' }
      return
    }
    for (const one of older) {
      one.ending ??= 'sessionMoved'
      one.abandon()
    }
    session.attach = attach
    session.touchedMs = session.heardMs = this.timeMs
    connection.greeting = { is: 'connected', resumed: true }
  }

  requests(connection: ModelConnection, frame: ClientFrameOf<'request'>): void {
    const { session } = connection
    if (session === null) throw new Error('a request without a session')
    session.heardMs = this.timeMs
    const by = this.#decides(connection, session, frame)
    const { xid, op } = frame
    if (by !== 'dropped') connection.awaited.push({ xid, op, sentAt: this.zxid, by })
    if (op.op === 'auth' && by === 'state') {
      const identity = this.#identityOf(op.user, op.password)
      connection.identitiesToCome = withIdentity(connection.identitiesToCome, identity)
    }
  }

  #decides(
    connection: ModelConnection,
    session: Session,
    { xid, ackedXid, refusedSeen, op }: ClientFrameOf<'request'>,
  ): Awaited['by'] | 'dropped' {
    session.ackedXid = Math.max(session.ackedXid, ackedXid)
    const refused = (code: 'notExecuted' | 'sessionExpired' | 'throttled' | 'noSpace') => {
      if (code === 'throttled' || code === 'noSpace')
        connection.refusedXid = Math.max(connection.refusedXid, xid)
      return { code, index: null }
    }
    const fault = faultOf(op)
    if (fault !== null) return fault
    if (!isWrite(op)) return 'state'
    if (xid <= session.ackedXid) {
      this.seen('write dropped')
      return 'dropped'
    }
    if (session.results.has(xid)) {
      this.seen(session.results.get(xid) === null ? 'write again, under way' : 'write again')
      return 'logged'
    }
    if (xid <= session.lastXid) return refused('notExecuted')
    if (session.isClosing) return refused('sessionExpired')
    if (connection.refusedXid > refusedSeen) return refused('throttled')
    if (!this.hasSpace) return refused('noSpace')
    session.results.set(xid, null)
    session.ops.set(xid, op)
    session.lastXid = xid
    session.underWay.push({ xid, op, identities: connection.identitiesToCome })
    if (op.op === 'closeSession') session.isClosing = true
    return 'logged'
  }

  pings(connection: ModelConnection, { id, ackedXid }: ClientFrameOf<'ping'>): void {
    const { session } = connection
    if (session === null) return
    session.ackedXid = Math.max(session.ackedXid, ackedXid)
    if (this.#isClosing(session)) return
    session.touchedMs = session.heardMs = this.timeMs
    connection.pings.push(id)
  }

  acks(connection: ModelConnection, { ackedXid }: ClientFrameOf<'ack'>): void {
    const { session } = connection
    if (session === null) return
    session.ackedXid = Math.max(session.ackedXid, ackedXid)
    session.heardMs = this.timeMs
  }

  /** While there is none no time counts against a session. */
  space(ok: boolean): void {
    this.hasSpace = ok
    for (const session of this.sessions.values()) session.heardMs = this.timeMs
  }

  lost(id: number): void {
    this.connections.get(id)?.abandon()
    this.connections.delete(id)
  }

  isProposed(sessionId: number, xid: number): boolean {
    return this.#proposed().some((txn) => txn.sessionId === sessionId && txn.xid === xid)
  }

  #isClosing({ id, underWay }: Session): boolean {
    return underWay.some(({ op, xid }) => op.op === 'closeSession' && this.isProposed(id, xid))
  }

  /** The process died: what was under way is gone, all connections too. */
  restarts(): void {
    this.epoch += 1
    this.connections.clear()
    this.#opening.clear()
    this.hasSpace = true
    for (const session of this.sessions.values()) {
      forget(
        session,
        session.underWay.map(({ xid }) => xid),
      )
    }
  }

  /** Every session has its full time again; which connection was its newest is forgotten. */
  recovered(): void {
    for (const session of this.sessions.values()) {
      session.touchedMs = session.heardMs = this.timeMs
      session.attach = 0
    }
  }

  /** The next txn of the log; `isFirst`: nothing else was under way when it was decided. */
  #logged(txn: Txn, isFirst: boolean): void {
    same(txn.zxid, this.zxid + 1, 'zxid of the next txn')
    same(txn.timeMs, this.timeMs, `time of txn ${txn.zxid}`)
    const { body } = txn
    const at = { zxid: txn.zxid, timeMs: txn.timeMs }
    const draft = new Draft(this.tree, system, at)
    if (body.body === 'createSession') this.#sessionOpened(txn.zxid, body.nonceHash)
    else if (body.body === 'closeSession' && body.expired) this.#expires(body.closedSession, draft)
    else if (txn.sessionId !== 0) return this.#writes(txn, isFirst)
    else if (body.body === 'write') this.#reaps(deletedPaths(txn)[0] ?? '', draft)
    this.states.push({ zxid: txn.zxid, tree: draft.tree, events: draft.events })
  }

  #writes(txn: Txn, isFirst: boolean): void {
    const { zxid, timeMs, sessionId, xid } = txn
    const session = this.sessions.get(sessionId)
    const write = session?.underWay.shift()
    if (session === undefined || write?.xid !== xid) {
      throw new Disagreement(`txn ${zxid} is write ${xid}, in place of ${shown(write ?? null)}`)
    }
    const who: Who = { sessionId, identities: write.identities }
    const decision = decide(
      this.tree,
      write.op,
      who,
      { zxid, timeMs },
      isFirst ? undefined : pieceOf(txn),
    )
    const { failure, result, tree, events } = decision
    session.results.set(xid, { zxid, failure, result })
    this.states.push({ zxid, tree, events })
    this.#note(write.op, result)
    if (write.op.op === 'closeSession') this.#ends(session, 'closed')
  }

  #note(op: Op, result: unknown): void {
    if (result === null) return
    if (op.op === 'create') this.seen(`create ${op.kind}`)
    if (op.op !== 'multi') return
    const { branch } = result as { branch: 'then' | 'else' }
    this.seen(`multi ${branch}`)
    if (op.fences.length > 0) this.seen('multi behind a fence')
    const isTelling = branch === 'then' || op.compares.length === 1
    for (const { compare } of isTelling ? op.compares : []) this.seen(`${compare} ${branch}`)
    for (const part of op[branch]) {
      if (isNameRef(part.path)) this.seen('path by reference')
      if ('data' in part && isNameRef(part.data)) this.seen('data by reference')
    }
  }

  #sessionOpened(id: number, nonceHash: Uint8Array): void {
    const nonce = Buffer.from(nonceHash).toString('hex')
    const wished = this.#wished.get(nonce)
    if (wished === undefined) {
      throw new Disagreement(`txn ${id} makes a session that nobody asked for`)
    }
    const { attach, sessionTimeoutMs } = wished
    const timeoutMs = Math.min(Math.max(sessionTimeoutMs, 1_000), 60_000)
    const session = newSession({ id, nonce, timeoutMs, attach }, this.timeMs)
    this.sessions.set(id, session)
    const connection = this.#opening.get(nonce)
    this.#opening.delete(nonce)
    this.#wished.delete(nonce)
    if (connection !== undefined) connection.session = session
  }

  #expires(sessionId: number, draft: Draft): void {
    const session = this.sessions.get(sessionId)
    if (session === undefined || session.end !== null) {
      throw new Disagreement(`session ${sessionId} expires, but does not live`)
    }
    const silentMs = this.timeMs - session.touchedMs
    agree(silentMs >= session.timeoutMs, () => `session ${sessionId} expires after ${silentMs} ms`)
    draft.closeSession(sessionId)
    this.#ends(session, 'expired')
  }

  #ends(session: Session, end: 'closed' | 'expired'): void {
    session.end = end
    for (const connection of this.connections.values()) {
      if (connection.session !== session) continue
      connection.ending ??= 'sessionEnded'
      if (connection.greeting?.is === 'awaited') {
        connection.greeting = { is: 'sessionExpired', reason: end }
      }
    }
  }

  #reaps(path: string, draft: Draft): void {
    const znode = this.tree.get(path)
    agree(znode !== undefined && this.#mayGo(path, znode), () => `the system deletes ${path}`)
    this.seen(`reaped ${znode?.kind}`)
    draft.remove(path)
  }

  #mayGo(path: string, znode: Znode): boolean {
    const isChildless = ![...this.tree.keys()].some((at) => at.startsWith(`${path}/`))
    if (znode.kind === 'container') return znode.creates > 0 && isChildless
    return znode.kind === 'ttl' && isChildless && this.timeMs - znode.mtime > znode.ttlMs
  }

  #living(nonce: string): Session | undefined {
    return [...this.sessions.values()].find((one) => one.end === null && one.nonce === nonce)
  }

  /** What the system must have done by now. Called after each tick. */
  ticked(): void {
    const overdue = new Map<string, number>()
    for (const [path, znode] of this.tree) {
      if (!this.#mayGo(path, znode)) continue
      const key = `${path} ${znode.czxid}`
      overdue.set(key, (this.#overdue.get(key) ?? 0) + 1)
      agree((overdue.get(key) ?? 0) <= slackTicks, () => `the system does not delete ${path}`)
    }
    this.#overdue = overdue
    for (const { id, end, heardMs, timeoutMs } of this.sessions.values()) {
      const isOver = this.timeMs - heardMs > timeoutMs + slackTicks * 50
      agree(end !== null || !isOver, () => `session ${id} does not expire`)
    }
  }

  /** Compares a turn: the txns that it logged and the frames of every connection. */
  turned(
    { txns, isRelease }: { readonly txns: readonly Txn[]; readonly isRelease: boolean },
    framesOf: (id: number) => readonly ServerFrame[],
    closed: (id: number) => string | undefined,
  ): void {
    for (const [index, txn] of txns.entries()) this.#logged(txn, index === 0 && !isRelease)
    for (const [id, connection] of this.connections) {
      connection.check(framesOf(id), closed(id))
      if (connection.isClosed) this.connections.delete(id)
    }
  }

  /** Nothing is held back: everything is answered, and every write logged. */
  checkIdle(): void {
    for (const connection of this.connections.values()) connection.checkIdle()
    for (const { id, underWay } of this.sessions.values()) {
      same(underWay, [], `writes of session ${id} that are not logged`)
    }
  }
}

/** The granularity of a ttl is a second; containers and sessions are done with sooner. */
const slackTicks = 21

const system: Who = { sessionId: 0, identities: [] }

const deletedPaths = ({ body }: Txn): readonly string[] =>
  body.body === 'write'
    ? body.changes.flatMap((change) => (change.change === 'delete' ? [change.path] : []))
    : []

/** What a deleteRecursive finds is not for the state alone to say while others write. */
const pieceOf = (txn: Txn): Piece => (txn.body.body === 'write' ? deletedPaths(txn) : 'noAuth')
