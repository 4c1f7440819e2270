import { limits, type MultiOp, type Op, type Xid } from '@conclave/protocol'
import t from 'tap'
import { following } from '../../../support/ensemble-kit.js'
import {
  bytesOf,
  type ClientKit,
  create,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'
import { requestOf } from '../../../support/session-kit.js'
import { multi } from '../../../support/tree-kit.js'

const most = limits.writesInFlightMax
const each = 700
const noData = bytesOf('')

/** Clients that have all sent as many writes, one client after the other. */
const crowd = (): { readonly kit: ReplicaKit; readonly clients: readonly ClientKit[] } => {
  const kit = new ReplicaKit()
  const clients = [kit.client(), kit.client(), kit.client()]
  kit.isDiskHeld = true
  for (const client of clients) for (let i = 0; i < each; i++) client.send(setData('/', noData))
  return { kit, clients }
}

const startedBy = ({ kit, clients }: ReturnType<typeof crowd>): readonly number[] =>
  clients.map(({ sessionId }) => kit.heldTxns.filter((txn) => txn.sessionId === sessionId).length)

const repliesOf = (client: ClientKit): readonly number[] =>
  client.take().flatMap((frame) => (frame.frame === 'reply' ? [frame.xid] : []))

t.test('LIMIT-22 a server has at most 1,024 writes on their way, and answers all', async (t) => {
  const { kit, clients } = crowd()
  t.equal(kit.heldTxns.length, most)
  const all = Array.from({ length: each }, (_, i) => i + 1)
  kit.releaseDisk()
  for (const client of clients) t.same(repliesOf(client), all, 'each once, in its order')
})

t.test('LIMIT-22 those who wait take turns', async (t) => {
  const made = crowd()
  t.same(startedBy(made), [each, most - each, 0], 'who came first')
  made.kit.releaseDisk(320)
  const [, second = 0, third = 0] = startedBy(made)
  t.equal(second - (most - each) + third, 320)
  t.ok(Math.abs(second - (most - each) - third) <= 32, `${second} and ${third}`)
  made.kit.releaseDisk()
})

t.test('LIMIT-22 what a lost connection had on its way makes room', async (t) => {
  const made = crowd()
  const [first] = made.clients as [ClientKit]
  made.kit.step({ input: 'clientLost', connection: first.connection })
  const [own, second = 0, third = 0] = startedBy(made)
  t.equal(own, each, 'its own are on their way all the same')
  t.equal(second + third, most)
  made.kit.releaseDisk()
})

t.test('LIMIT-22 what has waited for a turn to look at much goes next', async (t) => {
  const kit = new ReplicaKit()
  const [reader, writer] = [kit.client(), kit.client()]
  const clients = [kit.client(), kit.client()]
  for (let made = 0; made <= limits.looksPerTurnMax; made += 100) {
    reader.ackedXid = reader.xid as Xid
    reader.ok(multi(Array.from({ length: 100 }, (_, i): MultiOp => create(`/${made + i}`))))
  }
  kit.isDiskHeld = true
  for (const client of clients) for (let i = 0; i < each; i++) client.send(setData('/', noData))
  const count: Op = { op: 'countDescendants', path: '/', linearizable: false, cursor: null }
  for (const [client, op] of [
    [reader, count],
    [writer, multi(Array<MultiOp>(20).fill(setData('/1', noData)))],
  ] as const) {
    client.xid += 1
    const frame = requestOf(op, client.xid)
    kit.replica.step({ input: 'clientFrame', connection: client.connection, frame, bytes: 100 })
  }
  kit.run()
  const started = kit.heldTxns.filter(({ sessionId }) => sessionId === writer.sessionId)
  t.equal(started.length, 1)
  t.equal(kit.heldTxns.length, most + 1)
  kit.releaseDisk()
})

t.test('LIMIT-22 what was asked of one leader takes no room at the next', async (t) => {
  const { ensemble, leader, at, client } = following()
  const other = ensemble.client(at)
  ensemble.hold(at, leader)
  for (const each of [client, other]) {
    for (let i = 0; i < 700; i++) each.send(setData('/', noData))
  }
  ensemble.run()
  ensemble.cutOff(leader)
  for (const each of [client, other]) t.equal(repliesOf(each).length, 700)
})
