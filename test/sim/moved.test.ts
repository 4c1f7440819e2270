import type {
  ClientFrame,
  Epoch,
  ServerFrame,
  ServerId,
  SessionId,
  Xid,
  Zxid,
} from '@conclave/protocol'
import t from 'tap'
import type { ConnectionId, Ticket } from '#server/core/input.js'
import { setData } from '../support/replica-kit.js'
import { txnAt } from '../support/storage-kit.js'
import { Moved } from './invariants/moved.js'
import { Violation } from './violation.js'

const leader = 1 as ServerId
const follower = 2 as ServerId
const epoch = 3 as Epoch
const sessionId = 7 as SessionId

/** A session that was first at the follower, where it wrote, and is now at the leader. */
const moved = () => {
  const invariant = new Moved()
  const asks = (server: ServerId, connection: number, frame: Partial<ClientFrame>): void =>
    invariant.check({
      sight: 'clientFrame',
      server,
      connection: connection as ConnectionId,
      frame: frame as ClientFrame,
    })
  const attaches = (server: ServerId, connection: number): void => {
    asks(server, connection, { frame: 'connect', attach: connection })
    const frame = { frame: 'connected', sessionId, epoch } as ServerFrame
    invariant.check({ sight: 'serverFrame', server, connection: connection as ConnectionId, frame })
  }
  const writes = (server: ServerId, connection: number, xid: number): void =>
    asks(server, connection, { frame: 'request', xid: xid as Xid, op: setData('/a', null) })
  const logs = (xid: number): void => {
    const txns = [{ ...txnAt(20, epoch), sessionId, xid: xid as Xid }]
    const effect = { effect: 'persist', ticket: 1 as Ticket, truncateAfter: null, txns } as const
    invariant.check({
      sight: 'persisting',
      server: leader,
      effect: { ...effect, commit: 0 as Zxid, hardState: null },
    })
  }
  invariant.check({ sight: 'established', server: leader, epoch })
  attaches(follower, 1)
  writes(follower, 1, 5)
  attaches(leader, 2)
  return { invariant, writes, logs }
}

t.test('SIM-5 a write that came by a connection which was left is seen in the log', async (t) => {
  t.throws(() => moved().logs(5), Violation)
})

t.test('SIM-5 the same write is fine once it came by the new connection', async (t) => {
  const { writes, logs } = moved()
  writes(leader, 2, 5)
  t.doesNotThrow(() => logs(5))
})

t.test('SIM-5 what a server is taught after it led is not what it proposes', async (t) => {
  const { invariant, logs } = moved()
  invariant.check({ sight: 'leftRole', server: leader })
  t.doesNotThrow(() => logs(5))
})
