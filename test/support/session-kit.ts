import type {
  ClientFrame,
  ClientFrameOf,
  Op,
  ServerFrame,
  StreamPosition,
  Xid,
  Zxid,
} from '@conclave/protocol'
import type { ClientKit, ConnectOptions } from './replica-kit.js'

/** Sessions, watches and streams, for tests that read whole lists of frames. */

/** The connect of another connection of the client's session, unless the options say otherwise. */
export const connectOf = (
  client: ClientKit,
  options: ConnectOptions = {},
): ClientFrameOf<'connect'> => ({
  frame: 'connect',
  version: options.version ?? 1,
  sessionId: options.sessionId ?? client.sessionId,
  nonce: options.nonce ?? client.nonce,
  attach: options.attach ?? 2,
  sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
  lastZxidSeen: options.lastZxidSeen ?? (0 as Zxid),
  ensembleId: options.ensembleId ?? null,
  ackedXid: options.ackedXid ?? (0 as Xid),
})

/** A new connection that has sent the connect of {@link connectOf}; its frames are not taken. */
export const reconnect = (client: ClientKit, options: ConnectOptions = {}): ClientKit => {
  const next = client.kit.open()
  next.nonce = options.nonce ?? client.nonce
  next.sessionId = client.sessionId
  next.xid = client.xid
  next.ackedXid = options.ackedXid ?? client.ackedXid
  next.frame(connectOf(client, options))
  return next
}

/** A new connection of the session, attached; the answer to its connect is taken. */
export const reattach = (client: ClientKit, options: ConnectOptions = {}): ClientKit => {
  const next = reconnect(client, options)
  const [answer] = next.take()
  if (answer?.frame !== 'connected') throw new Error(`not attached: ${JSON.stringify(answer)}`)
  return next
}

/** Puts frames in without a drain between them, as one turn of the event loop does. */
export const together = (frames: readonly (readonly [ClientKit, ClientFrame])[]): void => {
  const kits = new Set(frames.map(([{ kit }]) => kit))
  for (const [client, frame] of frames) {
    const { kit, connection } = client
    if (frame.frame === 'request') client.xid = Math.max(client.xid, frame.xid)
    kit.replica.step({ input: 'clientFrame', connection, frame, bytes: 100 })
  }
  for (const kit of kits) kit.run()
}

export const requestOf = (
  op: Op,
  xid: number,
  { ackedXid = 0, refusedSeen = 0 } = {},
): ClientFrameOf<'request'> => ({
  frame: 'request',
  xid: xid as Xid,
  ackedXid: ackedXid as Xid,
  refusedSeen: refusedSeen as Xid,
  op,
})

export const ping = (id: number, ackedXid = 0): ClientFrameOf<'ping'> => ({
  frame: 'ping',
  id,
  ackedXid: ackedXid as Xid,
})

export const ack = (ackedXid: number): ClientFrameOf<'ack'> => ({
  frame: 'ack',
  ackedXid: ackedXid as Xid,
})

export const probe = (id: number): ClientFrameOf<'probe'> => ({ frame: 'probe', id })

export const watch = (path: string, options: Partial<Op<'watch'>> = {}): Op<'watch'> => ({
  op: 'watch',
  streamId: 1,
  path,
  recursive: false,
  withDetail: false,
  from: null,
  ...options,
})

export const unwatch = (streamId: number): Op<'unwatch'> => ({ op: 'unwatch', streamId })

export const rearm = (
  fromZxid: number,
  paths: Partial<Pick<Op<'rearmWatches'>, 'data' | 'exists' | 'child'>>,
): Op<'rearmWatches'> => ({
  op: 'rearmWatches',
  fromZxid: fromZxid as Zxid,
  data: [],
  exists: [],
  child: [],
  ...paths,
})

export const position = (
  zxid: number,
  index: number,
  ensembleId = 'ensemble-of-the-tests',
): StreamPosition => ({ ensembleId, zxid: zxid as Zxid, index })

/** What has come, in order, one short line a frame; taken. */
export const told = (client: ClientKit): string[] => client.take().flatMap(lineOf)

const lineOf = (frame: ServerFrame): readonly string[] => {
  switch (frame.frame) {
    case 'connected':
      return [`connected ${frame.sessionId}${frame.resumed ? ' resumed' : ''}`]
    case 'reply':
      return [`reply ${frame.xid}${frame.failure === null ? '' : ` ${frame.failure.code}`}`]
    case 'pong':
      return [`pong ${frame.id}`]
    case 'probed':
      return [`probed ${frame.id}`]
    case 'event':
      return [`${frame.zxid} ${frame.kind} ${frame.type} ${frame.path}`]
    case 'streamEvents':
      return frame.events.map(
        ({ type, zxid, index, path }) => `#${frame.streamId} ${zxid}.${index} ${type} ${path}`,
      )
    case 'streamGap':
      return [`#${frame.streamId} gap ${frame.from}..${frame.to}`]
    case 'streamCaughtUp':
      return [`#${frame.streamId} caughtUp ${frame.zxid}`]
    case 'sessionExpired': {
      const outcomes = frame.outcomes.map(({ xid, failure }) => `${xid}:${failure?.code ?? 'ok'}`)
      const completeness = frame.complete ? 'complete' : 'incomplete'
      return [`sessionExpired ${frame.reason} ${completeness} [${outcomes.join(' ')}]`]
    }
    case 'closing':
      return [`closing ${frame.reason}`]
    default:
      return frame satisfies never
  }
}
