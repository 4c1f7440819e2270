import t from 'tap'
import { bytesOf, create, ReplicaKit, remove, setData } from '../../../support/replica-kit.js'

t.test('ZNODE-13 a container goes once it has had children and has none', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  for (const path of ['/never', '/had', '/has']) client.create(path, { kind: 'container' })
  for (const path of ['/had/a', '/had/b', '/has/a']) client.create(path)
  client.ok(remove('/had/a'))
  kit.tick(3)
  t.ok(client.stat('/had'), 'it has a child left')
  client.ok(remove('/had/b'))
  const zxid = kit.log.at(-1)?.zxid ?? 0
  kit.tick(3)
  t.equal(client.stat('/had'), null)
  t.match(kit.log.at(-1), { zxid: zxid + 1, sessionId: 0, xid: 0 }, 'by a txn of the system')
  t.ok(client.stat('/never'))
  t.ok(client.stat('/has'))
  kit.restart()
  const later = kit.client()
  later.ok(remove('/has/a'))
  kit.tick(3)
  t.equal(later.stat('/has'), null, 'also after a restart')
})

t.test('ZNODE-14 a childless ttl znode goes once it is old', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/old', { kind: 'ttl', ttlMs: 1_000 })
  client.create('/parent', { kind: 'ttl', ttlMs: 1_000 })
  client.create('/parent/child')
  client.create('/refreshed', { kind: 'ttl', ttlMs: 1_000 })
  client.create('/long', { kind: 'ttl', ttlMs: 60_000 })
  const { path } = client.create('/n-', { kind: 'ttlSequential', ttlMs: 1_000 })
  kit.tick(18)
  client.ok(setData('/refreshed', null))
  kit.tick(2)
  t.ok(client.stat('/old'), 'exactly ttlMs old')
  kit.tick(2)
  t.equal(client.stat('/old'), null)
  t.equal(client.stat(path), null)
  t.ok(client.stat('/parent'))
  t.ok(client.stat('/refreshed'))
  t.ok(client.stat('/long'))
  client.ok(remove('/parent/child'))
  kit.tick(2)
  t.equal(client.stat('/parent'), null)
})

t.test('ZNODE-15 a write on its way saves what the system would delete', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/box', { kind: 'container' })
  client.create('/box/a')
  client.create('/old', { kind: 'ttl', ttlMs: 1_000 })
  kit.tick(20)
  kit.isDiskHeld = true
  client.send(remove('/box/a'))
  client.send(create('/box/b'))
  client.send(setData('/old', bytesOf('x')))
  kit.tick(4)
  kit.releaseDisk()
  kit.tick(4)
  t.equal(client.stat('/box')?.numChildren, 1)
  t.equal(client.stat('/old')?.version, 1)
  t.notOk(kit.log.some(({ body, sessionId }) => body.body === 'write' && sessionId === 0))

  client.ok(remove('/box/b'))
  kit.isDiskHeld = true
  kit.tick(1)
  client.take()
  client.send(create('/box/c'))
  kit.releaseDisk()
  const reply = client.take().find(({ frame }) => frame === 'reply')
  t.match(reply, { failure: { code: 'noNode' } }, 'the delete that came first stands')
})

t.test('ZNODE-25 many that are due at once go a bounded number a tick, and all go', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  for (let i = 0; i < 600; i++) client.create(`/n${i}`, { kind: 'ttl', ttlMs: 1 })
  const before = kit.replica.status.znodes
  const left = [1, 2, 3, 4, 5].map(() => {
    kit.tick(1)
    return before - kit.replica.status.znodes
  })
  t.same(left, [256, 512, 600, 600, 600])
})
