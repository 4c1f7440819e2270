import type {
  ClientFrame,
  ClientFrameOf,
  Op,
  ServerFrame,
  SessionId,
  Xid,
  Zxid,
} from '@conclave/protocol'
import { isWrite } from '@conclave/protocol'
import { type ClientKit, ReplicaKit } from '../support/replica-kit.js'
import { ping, probe, requestOf } from '../support/session-kit.js'
import { Actor } from './actors.js'
import { shown } from './disagreement.js'
import { identityOf } from './identity.js'
import { Model } from './model.js'
import type { ConnectKind, RequestStep, Resumption, Script, Step } from './scripts.js'
import { otherEnsemble, resolve } from './sketches.js'

/**
 * Plays one script to a real replica and to the model.
 * @throws Disagreement when the replica does what the model does not allow
 */
export const play = (
  script: Script,
  seen: (what: string) => void,
  tell: (line: string) => void,
): void => {
  const player = new Player(script, seen, tell)
  const requests = script.setup.map((op) => ({ who: 0, op, as: 'next', acks: false }) as const)
  player.step({ step: 'turn', requests })
  for (const step of script.steps) player.step(step)
  player.step({ step: 'release', one: false })
  player.finish()
}

class Player {
  readonly #kit: ReplicaKit
  readonly #model: Model
  readonly #actors: Actor[]
  readonly #timeoutsMs: readonly number[]
  readonly #clients = new Map<number, ClientKit>()
  readonly #tell: (line: string) => void
  readonly #seen: (what: string) => void
  #nonces = 0
  #pings = 0

  constructor(script: Script, seen: (what: string) => void, tell: (line: string) => void) {
    this.#tell = tell
    this.#seen = seen
    this.#timeoutsMs = script.timeoutsMs
    this.#kit = new ReplicaKit({ snapshotTxns: script.snapshotTxns })
    this.#model = new Model(identityOf, seen, () => this.#kit.heldTxns)
    this.#model.timeMs = this.#kit.wallMs
    this.#settle()
    this.#actors = script.timeoutsMs.map(
      (_, index) => new Actor('ABCD'.charAt(index), this.#nonce()),
    )
    for (const actor of this.#actors) this.#connect(actor, 'right', nothing)
  }

  step(step: Step): void {
    switch (step.step) {
      case 'turn':
        return this.#turn(step.requests)
      case 'ping':
      case 'ack':
      case 'probe':
      case 'drop':
        return this.#small(step.step, this.#actor(step.who))
      case 'connect':
        return this.#connect(this.#actor(step.who), step.kind, step.resumes)
      case 'wait':
        return this.#wait(step.ticks, step.pings)
      case 'hold':
        this.#kit.isDiskHeld = true
        return this.#tell('the disk is held')
      case 'release':
        return this.#release(step.one ? 1 : undefined)
      case 'space':
        return this.#space(step.ok)
      case 'restart':
        this.#restart(step.purge)
        return this.#return(step.returning, step.resumes)
      default:
        return step satisfies never
    }
  }

  finish(): void {
    this.#space(true)
    for (const actor of this.#actors) {
      if (actor.line === null) this.#connect(actor, 'right', everything)
    }
  }

  #actor(who: number): Actor {
    const actor = this.#actors[who % this.#actors.length]
    if (actor === undefined) throw new Error('a script has actors')
    return actor
  }

  #nonce(): Uint8Array {
    this.#nonces += 1
    return new Uint8Array(32).fill(this.#nonces)
  }

  #turn(requests: readonly RequestStep[]): void {
    const begun = new Set<Actor>()
    for (const request of requests) {
      const actor = this.#actor(request.who)
      // What comes behind an auth waits for it, and what is before it may not be lost with it.
      const isFirst = !begun.has(actor) && actor.line?.model.awaited.length === 0
      const isFull = (actor.line?.model.awaited.length ?? 0) > 12
      if (isFull || !actor.isAttached || (request.op.op === 'auth' && !isFirst)) continue
      begun.add(actor)
      this.#request(actor, request)
    }
    this.#settle()
  }

  #request(actor: Actor, { op, as, acks }: RequestStep): void {
    if (acks) actor.ackedXid = Math.max(actor.ackedXid, actor.settledXid)
    const numbered = numberOf(actor, op, as)
    if (numbered === null) return
    const [xid, sketch] = numbered
    const isOld = actor.sent.has(xid)
    const resolved = isOld ? sketch : resolve(sketch, this.#model, actor)
    if (resolved.op === 'rearmWatches' && !isFresh(actor, resolved)) return
    this.#send(actor, xid, resolved)
  }

  #send(actor: Actor, xid: number, op: Op): void {
    const { refusedSeen } = actor
    const ackedXid = Math.min(actor.ackedXid, actor.xid)
    actor.sends(xid, op)
    this.#frame(actor, requestOf(op, xid, { ackedXid, refusedSeen }))
  }

  #frame(actor: Actor, frame: ClientFrame): void {
    const { line } = actor
    if (line === null) return
    this.#tell(`${actor.name} > ${shown(frame)}`)
    if (frame.frame === 'request') this.#model.requests(line.model, frame)
    if (frame.frame === 'ping') this.#model.pings(line.model, frame)
    if (frame.frame === 'ack') this.#model.acks(line.model, frame)
    if (frame.frame === 'probe') line.model.probes.push(frame.id)
    const { connection } = this.#client(line.id)
    this.#kit.replica.step({ input: 'clientFrame', connection, frame, bytes: 100 })
  }

  #client(id: number): ClientKit {
    const client = this.#clients.get(id)
    if (client === undefined) throw new Error(`no connection is ${id}`)
    return client
  }

  #small(kind: 'ping' | 'ack' | 'probe' | 'drop', actor: Actor): void {
    if (actor.line === null) return
    if (kind === 'drop') {
      this.#tell(`${actor.name} loses its connection`)
      this.#drop(actor)
      return this.#settle()
    }
    if (!actor.isAttached && kind !== 'probe') return
    this.#pings += 1
    if (kind !== 'probe') actor.ackedXid = Math.max(actor.ackedXid, actor.settledXid)
    if (kind === 'ping') this.#frame(actor, ping(this.#pings, actor.ackedXid))
    if (kind === 'probe') this.#frame(actor, probe(this.#pings))
    if (kind === 'ack') this.#frame(actor, { frame: 'ack', ackedXid: actor.ackedXid as Xid })
    this.#settle()
  }

  #drop(actor: Actor): void {
    const { line } = actor
    if (line === null) return
    actor.loses((path) => this.#model.tree.has(path))
    this.#model.lost(line.id)
    this.#kit.replica.step({ input: 'clientLost', connection: this.#client(line.id).connection })
  }

  #connect(actor: Actor, kind: ConnectKind, resumes: Resumption): void {
    // Whoever still waits for an answer to a connect does not connect again.
    if (actor.line !== null && actor.line.model.greeting !== null) return
    if (actor.isOver && actor.line === null && !resumes.resend) this.#renew(actor)
    const isTheirs = kind === 'right' || kind === 'byNonce'
    if (actor.sessionId === 0 && (!isTheirs || actor.line !== null)) return
    const isClosing = this.#model.sessions.get(actor.sessionId)?.isClosing === true
    if ((actor.isOver || isClosing) && kind !== 'right') return
    const client = this.#kit.open()
    const model = this.#model.opens(client.connection, `${actor.name}${client.connection}`)
    this.#clients.set(client.connection, client)
    const previous = actor.line
    if (isTheirs) {
      if (previous !== null) actor.loses((path) => this.#model.tree.has(path))
      actor.attach += 1
      actor.line = { id: client.connection, model }
    }
    const frame = this.#connectFrame(actor, kind)
    this.#tell(`${model.name} > ${shown(frame)}`)
    this.#model.connects(model, frame)
    this.#kit.replica.step({
      input: 'clientFrame',
      connection: client.connection,
      frame,
      bytes: 100,
    })
    this.#settle()
    if (isTheirs && actor.isAttached && model.session?.end === null) this.#resume(actor, resumes)
  }

  #connectFrame(actor: Actor, kind: ConnectKind): ClientFrameOf<'connect'> {
    const isNew = actor.sessionId === 0 || kind === 'byNonce'
    return {
      frame: 'connect',
      version: 1,
      sessionId: (isNew ? 0 : actor.sessionId + (kind === 'unknown' ? 1_000 : 0)) as SessionId,
      nonce: kind === 'wrongNonce' ? this.#nonce() : actor.nonce,
      attach: actor.attach - (kind === 'stale' ? 1 : 0),
      sessionTimeoutMs: this.#timeoutsMs[this.#actors?.indexOf(actor)] ?? 10_000,
      lastZxidSeen: (actor.lastZxidSeen + (kind === 'historyLost' ? 1_000 : 0)) as Zxid,
      ensembleId: isNew ? null : kind === 'otherEnsemble' ? otherEnsemble : actor.ensembleId,
      ackedXid: actor.ackedXid as Xid,
    }
  }

  /** A new client in place of one whose session is over. */
  #renew(actor: Actor): void {
    const next = new Actor(actor.name, this.#nonce())
    this.#actors[this.#actors.indexOf(actor)] = next
  }

  /** What docs/PROTOCOL.md has a client do on a new connection, all at once. */
  #resume(actor: Actor, { auth, rearm, streams, resend }: Resumption): void {
    const next = (op: Op) => this.#send(actor, actor.xid + 1, op)
    const unanswered = [...actor.unanswered].sort(([a], [b]) => a - b)
    if (auth) for (const user of actor.users.values()) next(user)
    else actor.users.clear()
    if (rearm && actor.lost !== null) next({ op: 'rearmWatches', ...actor.lost })
    for (const { op, position } of actor.streams.values()) {
      if (streams) next({ ...op, from: position })
    }
    actor.streams.clear()
    if (!rearm) actor.lost = null
    if (resend) for (const [xid, op] of unanswered) this.#send(actor, xid, op)
    this.#settle()
  }

  #wait(ticks: number, pings: number): void {
    this.#release()
    this.#tell(`${ticks} ticks pass`)
    for (let tick = 0; tick < ticks; tick++) {
      if (tick % 6 === 0) {
        for (const [index, actor] of this.#actors.entries()) {
          if ((pings & (1 << index)) !== 0) this.#small('ping', actor)
        }
      }
      this.#model.timeMs += 50
      this.#kit.tick()
      this.#settle()
      if (this.#model.hasSpace) this.#model.ticked()
    }
  }

  #release(writes?: number): void {
    if (!this.#kit.isDiskHeld) return
    this.#tell(writes === undefined ? 'the disk is released' : `${writes} write is done`)
    this.#kit.releaseDisk(writes)
    this.#settle({ isRelease: true })
  }

  #space(ok: boolean): void {
    if (this.#model.hasSpace === ok) return
    this.#release()
    this.#tell(ok ? 'there is space again' : 'the disk is full')
    this.#model.space(ok)
    this.#kit.step({ input: 'diskSpace', ok })
    this.#settle()
  }

  #restart(purge: boolean): void {
    const { snapshot } = this.#kit
    const isCrash = this.#kit.isDiskHeld
    const isPurged = purge && snapshot !== null
    for (const actor of this.#actors) {
      if (actor.line !== null) actor.loses((path) => this.#model.tree.has(path))
    }
    if (isPurged) {
      this.#kit.log = this.#kit.log.filter(({ zxid }) => zxid > snapshot.header.zxid)
      this.#model.replies.historyFrom = snapshot.header.zxid
    }
    const from = isPurged ? 'snapshot alone' : snapshot === null ? 'log' : 'snapshot and log'
    const how = `${isCrash ? 'killed' : 'stopped'}, started from ${from}`
    this.#seen(how)
    this.#tell(`server ${how} (snapshot at ${snapshot?.header.zxid ?? 0})`)
    this.#clients.clear()
    this.#model.restarts()
    this.#kit.restart()
    this.#model.timeMs = this.#kit.wallMs
    this.#model.recovered()
    this.#settle()
  }

  #return(who: number, resumes: Resumption): void {
    for (const [index, actor] of this.#actors.entries()) {
      if ((who & (1 << index)) !== 0) this.#connect(actor, 'right', resumes)
    }
  }

  /** Lets the server do all that it can, and compares. */
  #settle({ isRelease = false } = {}): void {
    this.#kit.run()
    const known = this.#model.zxid
    const txns = this.#kit.log.filter(({ zxid }) => zxid > known)
    const frames = new Map<number, readonly ServerFrame[]>()
    for (const [id, client] of this.#clients) frames.set(id, client.take())
    for (const { zxid, sessionId, xid, body } of txns) {
      this.#tell(`  txn ${zxid} of ${sessionId}/${xid}: ${shown(body)}`)
    }
    for (const [id, some] of frames) {
      for (const frame of some) this.#tell(`  ${id} < ${shown(frame)}`)
    }
    this.#model.turned(
      { txns, isRelease },
      (id) => frames.get(id) ?? [],
      (id) => this.#clients.get(id)?.closed,
    )
    if (!this.#kit.isDiskHeld) this.#model.checkIdle()
    for (const actor of this.#actors ?? []) {
      const { line } = actor
      if (line === null) continue
      for (const frame of frames.get(line.id) ?? []) actor.hears(frame)
      if (line.model.isClosed) {
        if (line.model.ending === 'sessionEnded') actor.isOver = true
        actor.loses((path) => this.#model.tree.has(path))
      }
    }
  }
}

/** Which xid and operation a request is; null when there is none of that sort. */
const numberOf = (actor: Actor, op: Op, as: RequestStep['as']): [number, Op] | null => {
  const writes = [...actor.sent].filter(([, one]) => isWrite(one) && one.op !== 'closeSession')
  switch (as) {
    case 'next':
      return [actor.xid + 1, op]
    case 'skip':
      return [actor.xid + 2, op]
    case 'again':
      return writes.filter(([xid]) => xid > actor.ackedXid).at(-1) ?? null
    case 'acked':
      return writes.filter(([xid]) => xid <= actor.ackedXid).at(-1) ?? null
    case 'leftOut':
      for (let xid = actor.xid - 1; xid > actor.ackedXid; xid--) {
        if (!actor.sent.has(xid)) return [xid, op]
      }
      return null
    default:
      return as satisfies never
  }
}

/** A watch that is set already is not armed again as of another time. */
const isFresh = (actor: Actor, op: Op<'rearmWatches'>): boolean => {
  const { watches, awaited } = actor.line?.model ?? { watches: new Set(), awaited: [] }
  const keys = [...op.data, ...op.exists].map((path) => `data ${path}`)
  const all = [...keys, ...op.child.map((path) => `child ${path}`)]
  return awaited.length === 0 && !all.some((key) => watches.has(key as never))
}

const nothing: Resumption = { auth: false, rearm: false, streams: false, resend: false }
const everything: Resumption = { auth: true, rearm: true, streams: true, resend: true }
