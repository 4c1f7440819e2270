import type { Effect } from '#client/session/effect.js'
import type { Input, OpenStream, Submit } from '#client/session/input.js'
import { type MachineConfig, SessionMachine } from '#client/session/machine.js'
import {
  type ClientFrame,
  encodeResult,
  type Failure,
  failure,
  type ErrorCode,
  type Op,
  type OpName,
  type OpResult,
  type ServerFrame,
  type ServerFrameOf,
  type Epoch,
  type ServerId,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import { fakeStat } from '../support/fake-server.js'

export const nonce = new Uint8Array(16).fill(9)

/** One machine, its clock, and short ways to say what servers and callers do. */
export class MachineKit {
  readonly machine: SessionMachine<string>
  nowMs = 0
  #opening = 0

  constructor(config: Partial<MachineConfig> = {}) {
    this.machine = new SessionMachine({
      servers: ['a:1', 'b:1', 'c:1'],
      nonce,
      sessionTimeoutMs: 9_000,
      identities: [],
      seed: 1,
      ...config,
    })
  }

  get wakeAtMs(): number {
    return Math.max(this.nowMs, this.machine.wakeAtMs ?? 0)
  }

  /** Lets time pass, and gives what is then due. */
  at(nowMs: number): readonly Effect<string>[] {
    this.nowMs = nowMs
    return this.give()
  }

  give(...inputs: readonly Input<string>[]): readonly Effect<string>[] {
    this.machine.step({ input: 'tick', nowMs: this.nowMs })
    for (const input of inputs) this.machine.step(input)
    const effects = this.machine.drain()
    for (const effect of effects) if (effect.effect === 'open') this.#opening = effect.connection
    return effects
  }

  /** The server sends frames on the present connection. */
  hear(...frames: readonly ServerFrame[]): readonly Effect<string>[] {
    const connection = this.machine.connection ?? 0
    return this.give(...frames.map((frame) => ({ input: 'frame', connection, frame }) as const))
  }

  lose(reason = 'gone'): readonly Effect<string>[] {
    return this.give({ input: 'lost', connection: this.machine.connection ?? 0, reason })
  }

  /** Waits out the pause, opens the next connection and sends its connect frame. */
  open(): readonly Effect<string>[] {
    if (this.machine.connection === null) this.at(this.wakeAtMs)
    return this.give({ input: 'opened', connection: this.#opening })
  }

  /** Opens and attaches; gives what goes out first. */
  attach(zxid = 10): readonly Effect<string>[] {
    this.open()
    return this.hear(connected({ zxid: zxid as Zxid }))
  }
}

export const connected = (
  fields: Partial<ServerFrameOf<'connected'>> = {},
): ServerFrameOf<'connected'> => ({
  frame: 'connected',
  sessionId: 7 as SessionId,
  sessionTimeoutMs: 9_000,
  ensembleId: 'e1',
  zxid: 10 as Zxid,
  serverId: 1 as ServerId,
  resumed: false,
  role: 'leading',
  epoch: 1 as Epoch,
  ...fields,
})

export const submit = (token: string, op: Op, abortable = false): Submit<string> => ({
  input: 'submit',
  token,
  op,
  abortable,
})

export const stream = (token: string, fields: Partial<OpenStream<string>> = {}) =>
  ({
    input: 'openStream',
    token,
    path: '/s',
    recursive: true,
    withDetail: false,
    from: null,
    ...fields,
  }) as const satisfies OpenStream<string>

export const set = (path = '/a'): Op<'setData'> => ({
  op: 'setData',
  path,
  data: null,
  version: -1,
})
export const read = (path = '/a', watch = false): Op<'getData'> => ({
  op: 'getData',
  path,
  watch,
  linearizable: false,
})
export const create = (path = '/a'): Op<'create'> => ({
  op: 'create',
  path,
  data: null,
  kind: 'persistent',
  acl: null,
  ttlMs: 0,
})

export const done = <N extends OpName>(
  xid: number,
  name: N,
  result: OpResult<N>,
  zxid = 20,
): ServerFrameOf<'reply'> => ({
  frame: 'reply',
  xid: xid as Xid,
  zxid: zxid as Zxid,
  failure: null,
  result: encodeResult(name, result),
})

export const setDone = (xid: number, zxid = 20): ServerFrameOf<'reply'> =>
  done(xid, 'setData', { stat: fakeStat() }, zxid)
export const readDone = (xid: number, zxid = 20): ServerFrameOf<'reply'> =>
  done(xid, 'getData', { data: null, stat: fakeStat() }, zxid)

export const failed = (xid: number, code: ErrorCode, zxid = 20): ServerFrameOf<'reply'> => ({
  frame: 'reply',
  xid: xid as Xid,
  zxid: zxid as Zxid,
  failure: failure(code),
  result: null,
})

export const pong = (id: number, zxid = 20): ServerFrame => ({
  frame: 'pong',
  id,
  zxid: zxid as Zxid,
})

/** The frames of all sends, in order. */
export const sent = (effects: readonly Effect<string>[]): readonly ClientFrame[] =>
  effects.flatMap((effect) => (effect.effect === 'send' ? effect.frames : []))

/** Requests as `xid op ackedXid/refusedSeen`, other frames by name. */
export const brief = (effects: readonly Effect<string>[]): readonly string[] =>
  sent(effects).map((frame) =>
    frame.frame === 'request'
      ? `${frame.xid} ${frame.op.op} ${frame.ackedXid}/${frame.refusedSeen}`
      : frame.frame,
  )

/** Settlements as `token done` or `token code outcome`. */
export const settled = (effects: readonly Effect<string>[]): readonly string[] =>
  effects.flatMap((effect) => {
    if (effect.effect !== 'settle') return []
    const { token, settlement } = effect
    return settlement.settled === 'done'
      ? [`${token} done`]
      : [`${token} ${codeOf(settlement.failure)} ${settlement.outcome}`]
  })

const codeOf = ({ code }: Failure): string => code
