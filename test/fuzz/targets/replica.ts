import {
  type ClientFrame,
  clientFrameSchema,
  decodeResult,
  type Op,
  type ServerFrame,
  type SessionId,
  ShapeError,
} from '@conclave/protocol'
import { serverMessages } from '@conclave/protocol/codec'
import type { ConnectionId } from '#server/core/input.js'
import { type ClientKit, ReplicaKit } from '../../support/replica-kit.js'
import { Dice } from '../dice.js'
import { clientFrame } from '../grammar.js'
import type { Target } from '../target.js'

/**
 * The whole core, driven by bytes: each pair of them is one thing that happens. Whatever clients
 * say in whatever order, what was promised of replies holds, and the log tells the same story.
 */
export const replicaTarget: Target = {
  name: 'core.replica',
  seeds: Array.from({ length: 8 }, (_, i) => Dice.of(i, 'replica').bytes(160)),
  run(input) {
    const play = new Play()
    for (let at = 0; at + 1 < Math.min(input.length, bytesMax); at += 2) {
      play.step(input[at] as number, input[at + 1] as number)
    }
    play.end()
    return [...play.seen].sort().join()
  },
}

const bytesMax = 320

interface Talk {
  readonly client: ClientKit
  readonly asked: { readonly xid: number; readonly op: Op }[]
  /** How many of them may be answered: with an xid twice there is more than one way to see it. */
  answered: readonly number[]
  zxid: number
  xid: number
  attach: number
  /** Of a session that another connection had: its table knows the answers of that one. */
  readonly isResumed: boolean
  isGone: boolean
}

class Play {
  readonly seen = new Set<string>()
  readonly #kit = new ReplicaKit({ snapshotTxns: 50, historyBytesMax: 20_000 })
  #talks: Talk[] = []

  step(what: number, seed: number): void {
    const talk = this.#talks[seed % Math.max(this.#talks.length, 1)]
    const kit = this.#kit
    if (what < 20 || talk === undefined) this.#open(null, seed)
    else if (what < 35) this.#open(talk, seed)
    else if (what < 45) this.#lose(talk)
    else if (what < 60) kit.tick(1, 1 + seed * 20)
    else if (what < 70) this.#congested(talk, seed % 2 === 0)
    else if (what < 76) kit.isDiskHeld = true
    else if (what < 90) kit.releaseDisk()
    else if (what < 92) this.#restart()
    else this.#say(talk, what * 256 + seed)
    this.#look()
  }

  /** All has been let go: nothing is left, and the log tells the same story. */
  end(): void {
    this.#kit.releaseDisk()
    for (const talk of this.#talks) this.#congested(talk, false)
    this.#look()
    for (const talk of this.#talks) this.#lose(talk)
    const { connections, watches, streams, digest } = this.#kit.replica.status
    if (connections + watches + streams !== 0) {
      throw new Error(`${connections} connections, ${watches} watches, ${streams} streams are left`)
    }
    this.#kit.restart()
    // Sessions and reaped znodes need time to end; there was none.
    if (this.#kit.replica.status.digest !== digest) throw new Error('the log makes another state')
  }

  #open(of: Talk | null, seed: number): void {
    const client = this.#kit.open()
    const attach = of === null ? 1 : of.attach + 1 - (seed % 3 === 0 ? 1 : 0)
    if (of !== null) {
      client.nonce = of.client.nonce
      client.sessionId = of.client.sessionId
    }
    const xid = of?.xid ?? 0
    const talk = {
      client,
      asked: [],
      answered: [0],
      zxid: 0,
      xid,
      attach,
      isGone: false,
      isResumed: of !== null,
    }
    this.#talks.push(talk)
    this.#frame(talk, {
      frame: 'connect',
      version: seed === 255 ? 2 : 1,
      sessionId: client.sessionId,
      nonce: seed === 254 ? new Uint8Array(32) : client.nonce,
      attach,
      sessionTimeoutMs: seed * 40,
      lastZxidSeen: (of?.zxid ?? 0) as never,
      ensembleId: null,
      ackedXid: 0 as never,
    })
  }

  #say(talk: Talk, seed: number): void {
    const dice = new Dice(seed)
    let frame: ClientFrame
    try {
      const value = clientFrame(dice, talk.xid + 1)
      frame = clientFrameSchema.decode(value, 'frame')
    } catch (error) {
      if (error instanceof ShapeError) return
      throw error
    }
    if (frame.frame === 'connect') return
    if (frame.frame === 'request') {
      talk.xid = Math.min(Math.max(talk.xid, frame.xid), 2 ** 53 - 10)
      talk.asked.push({ xid: frame.xid, op: frame.op })
    }
    this.#frame(talk, frame)
  }

  #frame(talk: Talk, frame: ClientFrame): void {
    if (!talk.isGone) talk.client.frame(frame)
  }

  #congested({ client: { connection } }: Talk, congested: boolean): void {
    this.#kit.step({ input: 'clientCongested', connection, congested })
  }

  #lose(talk: Talk): void {
    this.#look()
    this.#kit.step({ input: 'clientLost', connection: talk.client.connection })
    talk.isGone = true
    this.#talks = this.#talks.filter((each) => each !== talk)
  }

  #restart(): void {
    this.#kit.restart()
    for (const talk of this.#talks) talk.isGone = true
    this.#talks = []
  }

  #look(): void {
    for (const talk of this.#talks) {
      const frames = talk.client.take()
      if (frames.length > 0) serverMessages.decode(serverMessages.encode(frames))
      for (const frame of frames) this.#heard(talk, frame)
      const end = this.#kit.closed.get(talk.client.connection as ConnectionId)
      if (end !== undefined) {
        this.seen.add(end)
        talk.isGone = true
      }
    }
    this.#talks = this.#talks.filter(({ isGone }) => !isGone)
  }

  #heard(talk: Talk, frame: ServerFrame): void {
    if ('zxid' in frame && frame.frame !== 'event' && frame.frame !== 'streamCaughtUp') {
      if (frame.zxid < talk.zxid) throw new Error(`zxid ${frame.zxid} after ${talk.zxid}`)
      talk.zxid = frame.zxid
    }
    if (frame.frame === 'connected') {
      talk.client.sessionId = frame.sessionId as SessionId
      this.seen.add(frame.resumed ? 'resumed' : 'connected')
    }
    if (frame.frame === 'sessionExpired') this.seen.add(frame.reason)
    if (frame.frame !== 'reply') return
    const ways = talk.answered.flatMap((from) => answeredBy(frame.xid, talk.asked, from))
    const asked = talk.asked[(ways[0] ?? 0) - 1]
    if (asked === undefined) throw new Error(`a reply to ${frame.xid} out of its turn`)
    talk.answered = [...new Set(ways)]
    if (frame.failure === null && !this.#isRepeated(talk, asked.xid)) {
      decodeResult(asked.op.op, frame.result)
    }
    this.seen.add(`${asked.op.op} ${frame.failure?.code ?? 'ok'}`)
  }

  /** Another operation under an xid that was used gets the first one's answer. */
  #isRepeated({ isResumed, asked }: Talk, xid: number): boolean {
    return isResumed || asked.filter((each) => each.xid === xid).length > 1
  }
}

/** Replies come in the order of the requests; a write that was acknowledged gets none. */
const answeredBy = (xid: number, asked: Talk['asked'], from: number): readonly number[] => {
  const ways: number[] = []
  for (let i = from; i < asked.length; i++) {
    const each = asked[i] as Talk['asked'][number]
    if (each.xid === xid) ways.push(i + 1)
    if (!writes.has(each.op.op)) break
  }
  return ways
}

const writes = new Set<string>([
  'create',
  'delete',
  'setData',
  'setAcl',
  'multi',
  'deleteRecursive',
  'closeSession',
])
