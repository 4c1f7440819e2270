import t from 'tap'
import { create, ReplicaKit, remove } from '../../../support/replica-kit.js'
import { getChildren } from '../../../support/replica-kit.js'
import { multi, rewrite, statOf } from '../../../support/tree-kit.js'

const kind = 'persistentSequential'

t.test('ZNODE-5 the suffix counts the creates before it, in ten digits', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a')
  t.equal(client.create('/a/n', { kind }).path, '/a/n0000000000')
  t.equal(client.create('/a/m', { kind }).path, '/a/m0000000001')
  t.equal(client.create('/a/m', { kind: 'ttlSequential', ttlMs: 1 }).path, '/a/m0000000002')
  t.equal(client.create('/a/e', { kind: 'ephemeralSequential' }).path, '/a/e0000000003')
  client.create('/b')
  t.equal(client.create('/b/n', { kind }).path, '/b/n0000000000', 'each parent has its own')
})

t.test('ZNODE-6 every create advances the suffix, no refusal and no delete moves it', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a')
  client.create('/a/plain')
  t.equal(client.create('/a/n', { kind }).path, '/a/n0000000001')
  t.equal(client.code(create('/a/plain')), 'nodeExists')
  t.equal(client.code(create('/a/x', { kind, acl: [] })), 'invalidAcl')
  t.equal(client.code(multi([create('/a/y'), remove('/absent')])), 'noNode')
  t.equal(client.create('/a/n', { kind }).path, '/a/n0000000002')
  for (const name of ['plain', 'n0000000001', 'n0000000002']) client.ok(remove(`/a/${name}`))
  t.equal(client.create('/a/n', { kind }).path, '/a/n0000000003')
})

t.test('ZNODE-7 the suffix grows past ten digits', async (t) => {
  const kit = new ReplicaKit({ snapshotTxns: 1 })
  kit.client().create('/a')
  rewrite(kit, '/a', { childrenCreated: 9_999_999_999 })
  const client = kit.client()
  t.equal(client.create('/a/n', { kind }).path, '/a/n9999999999')
  t.equal(client.create('/a/n', { kind }).path, '/a/n10000000000')
  t.equal(client.create('/a/n', { kind }).path, '/a/n10000000001')
  const { children } = client.ok(getChildren('/a'))
  t.same(
    children.map(({ name }) => name),
    ['n9999999999', 'n10000000000', 'n10000000001'],
  )
})

t.test('ZNODE-20 a parent takes 2^53 - 1 creates and refuses one more', async (t) => {
  const kit = new ReplicaKit({ snapshotTxns: 1 })
  kit.client().create('/a')
  rewrite(kit, '/a', { childrenCreated: Number.MAX_SAFE_INTEGER - 1 })
  const client = kit.client()
  t.equal(client.create('/a/n', { kind }).path, '/a/n9007199254740990')
  t.equal(client.code(create('/a/n', { kind })), 'tooLarge')
  t.equal(client.code(create('/a/other')), 'tooLarge')
  t.match(statOf(client, '/a'), { numChildren: 1, cversion: Number.MAX_SAFE_INTEGER })
  const { children, cursor } = client.ok(getChildren('/a', { limit: 1 }))
  t.same([children.length, cursor], [1, null])
})
