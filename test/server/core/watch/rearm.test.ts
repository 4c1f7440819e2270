import t from 'tap'
import {
  bytesOf,
  type ClientKit,
  create,
  getChildren,
  getData,
  remove,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'
import { reattach, rearm, requestOf, told, together } from '../../../support/session-kit.js'
import { auth, exists, setAcl, world } from '../../../support/tree-kit.js'

const data = bytesOf('x')

/** A writer and a client that comes back, with `/a` and `/p/c` there. */
const scene = (
  historyBytesMax = 1_000_000,
): { kit: ReplicaKit; client: ClientKit; writer: ClientKit; seen: number } => {
  const kit = new ReplicaKit({ historyBytesMax })
  const writer = kit.client()
  for (const path of ['/a', '/p', '/p/c']) writer.create(path)
  const client = kit.client()
  return { kit, client, writer, seen: kit.replica.status.zxid }
}

t.test('WATCH-12 rearmed watches fire what history holds', async (t) => {
  const { client, writer, seen } = scene()
  writer.create('/b')
  writer.ok(remove('/b'))
  writer.ok(setData('/a', data))
  writer.ok(remove('/a'))
  writer.create('/a')
  writer.create('/p/d')
  writer.ok(remove('/p/d'))
  const again = reattach(client)
  again.send(rearm(seen, { data: ['/a', '/p'], exists: ['/b', '/z'], child: ['/p', '/p/c'] }))
  t.same(told(again), [
    `${seen + 1} data created /b`,
    `${seen + 3} data dataChanged /a`,
    `${seen + 6} child childrenChanged /p`,
    'reply 1',
  ])
  const { zxid } = again.kit.replica.status
  writer.ok(setData('/a', data))
  writer.ok(setData('/p', data))
  writer.create('/p/c/d')
  writer.create('/z')
  t.same(
    told(again),
    [
      `${zxid + 2} data dataChanged /p`,
      `${zxid + 3} child childrenChanged /p/c`,
      `${zxid + 4} data created /z`,
    ],
    'the others are armed again, those that fired are gone',
  )
})

t.test('WATCH-12 history is asked from the zxid after the one that was seen', async (t) => {
  const { client, writer, seen } = scene()
  writer.ok(setData('/a', data))
  const again = reattach(client)
  again.ok(rearm(seen + 1, { data: ['/a'] }))
  t.same(told(again), [], 'what was seen does not fire')
  again.ok(rearm(seen, { data: ['/a'] }))
  t.same(told(again), [`${seen + 1} data dataChanged /a`])
})

t.test('WATCH-12 both watches of a deleted znode fire as one event', async (t) => {
  const { kit, client, writer, seen } = scene()
  writer.ok(remove('/a'))
  const again = reattach(client)
  again.ok(rearm(seen, { data: ['/a'], child: ['/a'] }))
  t.same(told(again), [`${seen + 1} data deleted /a`])
  t.equal(kit.replica.status.watches, 0)
})

t.test('WATCH-12 after a restart history is that of the log', async (t) => {
  const { kit, client, writer, seen } = scene()
  writer.create('/b')
  writer.ok(remove('/b'))
  kit.restart()
  const again = reattach(client)
  again.ok(rearm(seen, { exists: ['/b'] }))
  t.same(told(again), [`${seen + 1} data created /b`])
})

t.test('WATCH-12 requests sent behind it see what it has armed', async (t) => {
  const { client, writer, seen } = scene()
  writer.ok(setData('/a', data))
  const again = reattach(client)
  together([
    [again, requestOf(auth('u', 'p'), 8)],
    [again, requestOf(rearm(seen, { data: ['/a', '/p'] }), 9)],
    [again, requestOf(setData('/p', data), 1)],
    [again, requestOf(getData('/a', true), 2)],
  ])
  t.same(told(again), [
    'reply 8',
    `${seen + 1} data dataChanged /a`,
    'reply 9',
    `${seen + 2} data dataChanged /p`,
    'reply 1',
    'reply 2',
  ])
})

t.test('WATCH-13 WATCH-14 WATCH-15 beyond history the stats decide', async (t) => {
  const { kit, client, writer, seen } = scene(1)
  writer.create('/b')
  writer.create('/undone')
  writer.ok(remove('/undone'))
  writer.ok(setData('/a', data))
  writer.ok(setData('/a', data))
  writer.create('/p/d')
  writer.create('/gone')
  writer.ok(remove('/gone'))
  const again = reattach(client)
  const paths = {
    data: ['/gone', '/a', '/p'],
    exists: ['/undone', '/b'],
    child: ['/p', '/p/c', '/gone-too'],
  }
  again.send(rearm(seen, paths))
  const last = kit.replica.status.zxid
  t.same(told(again), [
    `${seen + 1} data created /b`,
    `${seen + 5} data dataChanged /a`,
    `${seen + 6} child childrenChanged /p`,
    `${last} data deleted /gone`,
    `${last} child deleted /gone-too`,
    'reply 1',
  ])
  writer.ok(setData('/p', data))
  writer.create('/undone')
  writer.create('/p/c/d')
  writer.ok(setData('/a', data))
  writer.ok(setData('/b', data))
  writer.create('/p/e')
  writer.create('/gone')
  t.same(
    told(again),
    [
      `${last + 1} data dataChanged /p`,
      `${last + 2} data created /undone`,
      `${last + 3} child childrenChanged /p/c`,
    ],
    'the others are armed again, those that fired are gone',
  )
})

t.test('WATCH-13 beyond history a data watch is judged by mzxid', async (t) => {
  const { kit, client, writer, seen } = scene(1)
  writer.ok(setData('/a', data))
  writer.create('/x')
  const again = reattach(client)
  again.ok(rearm(seen + 1, { data: ['/a'] }))
  t.same(told(again), [], 'it was seen')
  again.ok(rearm(seen, { data: ['/a'] }))
  t.same(told(again), [`${seen + 1} data dataChanged /a`])
  writer.ok(remove('/a'))
  writer.create('/x2')
  again.ok(rearm(seen + 1, { data: ['/a'], child: ['/a'] }))
  const { zxid } = kit.replica.status
  t.same(told(again), [`${zxid} data deleted /a`], 'one event for both kinds')
})

t.test('WATCH-14 beyond history an exists watch fires when the znode is there', async (t) => {
  const { client, writer, seen } = scene(1)
  writer.create('/b')
  writer.ok(setData('/b', data))
  writer.create('/x')
  const again = reattach(client)
  again.ok(rearm(seen, { exists: ['/b', '/none'] }))
  t.same(told(again), [`${seen + 1} data created /b`])
  writer.create('/none')
  t.same(told(again), [`${seen + 4} data created /none`])
})

t.test('WATCH-15 beyond history a child watch is judged by pzxid', async (t) => {
  const { client, writer, seen } = scene(1)
  writer.ok(setData('/p', data))
  writer.ok(setData('/p/c', data))
  writer.create('/x')
  const again = reattach(client)
  again.ok(rearm(seen, { child: ['/p'] }))
  t.same(told(again), [], 'nothing that concerns it')
  writer.ok(remove('/p/c'))
  t.same(told(again), [`${seen + 4} child childrenChanged /p`])
  writer.create('/y')
  again.ok(rearm(seen + 3, { child: ['/p'] }))
  t.same(told(again), [`${seen + 4} child childrenChanged /p`])
})

t.test('WATCH-16 what may not be read is not told when watches are armed again', async (t) => {
  for (const historyBytesMax of [1_000_000, 1]) {
    const { client, writer, seen } = scene(historyBytesMax)
    writer.ok(setAcl('/a', world(30)))
    writer.ok(setAcl('/p', world(30)))
    writer.ok(setData('/a', data))
    writer.create('/p/d')
    writer.create('/b', { acl: world(30) })
    const again = reattach(client)
    again.ok(rearm(seen, { data: ['/a'], exists: ['/b'], child: ['/p'] }))
    t.same(told(again), [])
    for (const path of ['/a', '/b', '/p']) writer.ok(setAcl(path, world(31)))
    const { zxid } = again.kit.replica.status
    writer.ok(setData('/a', data))
    writer.create('/p/e')
    t.same(told(again), [`${zxid + 1} data dataChanged /a`, `${zxid + 2} child childrenChanged /p`])
  }
})

t.test('WATCH-5 a rearmed watch and one set by a read are the same', async (t) => {
  const { kit, client, writer, seen } = scene()
  const again = reattach(client)
  again.ok(rearm(seen, { data: ['/a'], exists: ['/a'], child: ['/p'] }))
  again.ok(getData('/a', true))
  again.ok(getChildren('/p', { watch: true }))
  t.equal(kit.replica.status.watches, 2)
  writer.ok(setData('/a', data))
  t.same(told(again), [`${seen + 1} data dataChanged /a`])
  t.equal(again.code(create('/a')), 'nodeExists')
  t.not(again.ok(exists('/a')).stat, null)
})

t.test('WATCH-17 rearmWatches fires none but those that it names', async (t) => {
  for (const historyBytesMax of [1_000_000, 1]) {
    const { client, writer, seen } = scene(historyBytesMax)
    writer.ok(remove('/a'))
    const again = reattach(client)
    again.ok({ ...exists('/a'), watch: true })
    again.ok(rearm(seen, { child: ['/a'] }))
    t.same(told(again), [`${seen + 1} child deleted /a`])
    writer.create('/a')
    t.same(told(again), [`${seen + 2} data created /a`], 'it was set after the delete')
  }
})
