import t, { type Test } from 'tap'
import type { Op } from '@conclave/protocol'
import {
  bytesOf,
  type ClientKit,
  create,
  getChildren,
  getData,
} from '../../../support/replica-kit.js'
import { ReplicaKit, remove, setData } from '../../../support/replica-kit.js'
import {
  check,
  countDescendants,
  deleteRecursive,
  exists,
  getAcl,
  getEphemerals,
  multi,
  setAcl,
  statOf,
  world,
  worldWithout,
} from '../../../support/tree-kit.js'

const [READ, WRITE, CREATE, DELETE, ADMIN] = [1, 2, 4, 8, 16] as const

/** Each op violates all that it says and what stands below it: the first must be the answer. */
const inOrder = (t: Test, client: ClientKit, table: readonly (readonly [Op, string | null])[]) => {
  for (const [op, code] of table) t.equal(client.code(op), code, JSON.stringify(op))
}

t.test('PATH-8 the root is there and stays', async (t) => {
  const client = new ReplicaKit().client()
  t.strictSame(statOf(client, '/').czxid, 0)
  t.equal(client.code(create('/')), 'nodeExists')
  t.equal(client.code(remove('/')), 'badArguments')
  t.equal(client.code(deleteRecursive('/')), 'badArguments')
  t.equal(client.code(multi([{ op: 'delete', path: '/', version: -1 }])), 'badArguments')
  t.ok(client.stat('/'))
})

t.test('PATH-9 a client writes nothing at or below /conclave', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { digest, zxid } = kit.replica.status
  for (const path of ['/conclave', '/conclave/a', '/conclave/a/b']) {
    const writes: Op[] = [
      create(path),
      remove(path),
      setData(path, null),
      setAcl(path, world(31)),
      deleteRecursive(path),
      multi([create('/fine'), create(path)]),
      multi([{ op: 'setAcl', path, acl: world(31), version: -1 }]),
    ]
    for (const op of writes) t.equal(client.code(op), 'badArguments', `${op.op} ${path}`)
  }
  const kind = 'persistentSequential'
  t.equal(client.code(create('/conclave/', { kind })), 'badArguments')
  t.match(kit.replica.status, { zxid, znodes: 1 }, 'none of them was logged')
  const reference = { index: 0, suffix: 'lave' }
  const writes = [create('/conc'), { ...create('/'), path: reference }]
  t.match(client.refused(multi(writes)), { code: 'badArguments', index: 1 }, 'by a reference')
  t.equal(client.stat('/conc'), null)
  t.equal(kit.replica.status.znodes, 1)
  t.not(kit.replica.status.digest, digest, 'the refusal by a reference is remembered')
  for (const path of ['/conclav', '/conclave2', '/a']) client.create(path)
  t.equal(client.create('/a/conclave').path, '/a/conclave')
  t.equal(client.create('/conclave', { kind }).path, '/conclave0000000003')
})

t.test('CHECK-1 the syntax of the path comes before anything else', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a', { acl: world(ADMIN) })
  const [bad, cursor] = ['/a/', Uint8Array.of(1)]
  const ops: Op[] = [
    create(bad, { kind: 'ttl', acl: [], data: new Uint8Array(1_048_577) }),
    remove(bad, 5),
    setData(bad, new Uint8Array(1_048_577), 5),
    setAcl(bad, [], 5),
    check(bad, 5),
    deleteRecursive(bad),
    exists(bad),
    getData(bad),
    getChildren(bad, { cursor }),
    getAcl(bad),
    getEphemerals(bad, cursor),
    countDescendants(bad, cursor),
    { op: 'sync', path: bad },
    { op: 'removeWatches', path: bad, kind: 'any' },
    ...(['data', 'exists', 'child'] as const).map((list): Op => ({
      op: 'rearmWatches',
      data: [],
      exists: [],
      child: [],
      fromZxid: 0 as Extract<
        Op,
        {
          op: 'rearmWatches'
        }
      >['fromZxid'],
      [list]: [bad],
    })),
    { op: 'watch', streamId: 1, path: bad, recursive: false, withDetail: false, from: null },
    multi(
      [check('/absent'), check(bad)].map(({ path, version }) => ({ op: 'check', path, version })),
    ),
    multi([], { fences: [{ path: bad, czxid: 9 as never }] }),
    multi([], { compares: [{ compare: 'exists', path: bad, equals: true }] }),
  ]
  for (const op of ops) t.equal(client.code(op), 'badArguments', JSON.stringify(op.op))
})

t.test('CHECK-2 the order of the checks of create', async (t) => {
  const client = new ReplicaKit().client()
  const [owner, acl] = [client, worldWithout(CREATE)]
  owner.create('/closed')
  owner.create('/closed/there')
  owner.ok(setAcl('/closed', acl))
  owner.create('/ephemeral', { kind: 'ephemeral', acl: world(31) })
  owner.create('/closed-ephemeral', { kind: 'ephemeral', acl })
  inOrder(t, client, [
    [create('/absent/a', { kind: 'ttl', ttlMs: 0, acl: [] }), 'badArguments'],
    [create('/closed/there', { kind: 'persistent', ttlMs: 1, acl: [] }), 'badArguments'],
    [create('/absent/a', { acl: [] }), 'invalidAcl'],
    [create('/closed/there', { acl: [] }), 'invalidAcl'],
    [create('/absent/a'), 'noNode'],
    [create('/closed/there'), 'noAuth'],
    [create('/closed-ephemeral/a'), 'noAuth'],
    [create('/ephemeral/a'), 'noChildrenForEphemerals'],
    [create('/ephemeral'), 'nodeExists'],
  ])
})

t.test('CHECK-3 only the ttl kinds take a ttlMs, and they need one', async (t) => {
  const client = new ReplicaKit().client()
  const most = 315_360_000_000
  for (const kind of ['ttl', 'ttlSequential'] as const) {
    for (const ttlMs of [0, most + 1]) {
      t.equal(client.code(create(`/${kind}`, { kind, ttlMs })), 'badArguments')
    }
    for (const ttlMs of [1, most]) {
      t.equal(client.code(create(`/${kind}${ttlMs}`, { kind, ttlMs })), null)
    }
  }
  const others = ['persistent', 'ephemeral', 'container', 'persistentSequential'] as const
  for (const kind of [...others, 'ephemeralSequential'] as const) {
    t.equal(client.code(create(`/${kind}`, { kind, ttlMs: 1 })), 'badArguments')
    t.equal(client.code(create(`/${kind}`, { kind, ttlMs: 0 })), null)
  }
})

t.test('CHECK-4 the order of the checks of delete', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/closed')
  client.create('/closed/full')
  client.create('/closed/full/a')
  client.ok(setAcl('/closed', worldWithout(DELETE)))
  client.create('/full', { acl: world(CREATE) })
  client.create('/full/a')
  inOrder(t, client, [
    [remove('/absent/a', 7), 'noNode'],
    [remove('/closed/absent', 7), 'noAuth'],
    [remove('/closed/full', 7), 'noAuth'],
    [remove('/absent', 7), 'noNode'],
    [remove('/full', 7), 'badVersion'],
    [remove('/full', 0), 'notEmpty'],
    [remove('/full'), 'notEmpty'],
    [remove('/closed/full/a', 1), 'badVersion'],
    [remove('/closed/full/a', 0), null],
  ])
  t.equal(client.stat('/closed/full/a'), null)
})

t.test('CHECK-5 the order of the checks of setData', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/closed', { acl: worldWithout(WRITE) })
  client.create('/open', { acl: world(WRITE) })
  inOrder(t, client, [
    [setData('/absent', null, 7), 'noNode'],
    [setData('/closed', null, 7), 'noAuth'],
    [setData('/open', null, 7), 'badVersion'],
    [setData('/open', null, 0), null],
    [setData('/open', null, 0), 'badVersion'],
    [setData('/open', null, 1), null],
  ])
})

t.test('CHECK-6 the order of the checks of check, alone and in a multi', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/closed', { acl: worldWithout(READ) })
  client.create('/open', { acl: world(READ | WRITE) })
  client.ok(setData('/open', null))
  const table: [path: string, version: number, code: string | null][] = [
    ['/absent', 7, 'noNode'],
    ['/closed', 7, 'noAuth'],
    ['/closed', -1, 'noAuth'],
    ['/open', 0, 'badVersion'],
    ['/open', 1, null],
    ['/open', -1, null],
    ['/absent', -1, 'noNode'],
  ]
  for (const [path, version, code] of table) {
    t.equal(client.code(check(path, version)), code, `${path} ${version}`)
    t.equal(client.code(multi([{ op: 'check', path, version }])), code, `${path} ${version}`)
  }
})

t.test('CHECK-7 the order of the checks of setAcl', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/closed', { acl: worldWithout(ADMIN) })
  client.create('/open', { acl: world(ADMIN | WRITE) })
  client.ok(setData('/open', null))
  client.ok(setAcl('/open', world(ADMIN)))
  client.ok(setAcl('/open', world(ADMIN)))
  inOrder(t, client, [
    [setAcl('/absent', [], 7), 'noNode'],
    [setAcl('/closed', [], 7), 'noAuth'],
    [setAcl('/open', [], 7), 'invalidAcl'],
    [setAcl('/open', world(31), 1), 'badVersion'],
    [setAcl('/open', world(31), 2), null],
  ])
})

t.test('CHECK-8 the order of the checks of the reads', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/closed', { acl: worldWithout(READ) })
  client.create('/open', { acl: world(READ) })
  const reads = [exists, getData, getChildren, countDescendants]
  for (const read of reads) {
    t.equal(client.code(read('/closed')), 'noAuth', read.name)
    t.equal(client.code(read('/open')), null, read.name)
    if (read !== exists) t.equal(client.code(read('/absent')), 'noNode', read.name)
  }
  t.same(client.ok(exists('/absent')), { stat: null })
  const cursor = Uint8Array.of(1)
  for (const [path, code] of [
    ['/absent', 'noNode'],
    ['/closed', 'noAuth'],
    ['/open', 'badArguments'],
  ] as const) {
    t.equal(client.code(getChildren(path, { cursor })), code)
    t.equal(client.code(countDescendants(path, cursor)), code)
  }
})

t.test('CHECK-9 getAcl needs READ or ADMIN', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/neither', { acl: worldWithout(READ | ADMIN) })
  client.create('/read', { acl: world(READ) })
  client.create('/admin', { acl: world(ADMIN) })
  inOrder(t, client, [
    [getAcl('/absent'), 'noNode'],
    [getAcl('/neither'), 'noAuth'],
    [getAcl('/read'), null],
    [getAcl('/admin'), null],
  ])
})

t.test('CHECK-10 deleteRecursive checks as delete does, for every parent it meets', async (t) => {
  const client = new ReplicaKit().client()
  for (const path of ['/closed', '/closed/a', '/top', '/top/open', '/top/open/a'])
    client.create(path)
  client.create('/top/shut')
  client.create('/top/shut/a')
  client.ok(setData('/top/open', bytesOf('x')))
  for (const path of ['/closed', '/top/shut']) client.ok(setAcl(path, worldWithout(DELETE)))
  inOrder(t, client, [
    [deleteRecursive('/absent/a'), 'noNode'],
    [deleteRecursive('/closed/absent'), 'noAuth'],
    [deleteRecursive('/closed/a'), 'noAuth'],
    [deleteRecursive('/absent'), 'noNode'],
    [deleteRecursive('/top'), 'noAuth'],
  ])
  t.equal(client.stat('/top/open')?.numChildren, 1, 'nothing of the refused piece is done')
  t.same(client.ok(deleteRecursive('/top/open')), { deleted: 2, done: true })
})

t.test('CHECK-11 a refused write changes nothing', async (t) => {
  const kit = new ReplicaKit({ snapshotTxns: 1 })
  const client = kit.client()
  client.create('/a', { data: bytesOf('data'), acl: worldWithout(DELETE) })
  client.create('/a/b')
  client.ok(setAcl('/a', world(READ | ADMIN)))
  const znodes = (): unknown => kit.snapshot?.entries.filter(({ entry }) => entry === 'znode')
  const before = JSON.stringify(znodes())
  const refused: Op[] = [
    create('/a/c', { kind: 'persistentSequential' }),
    create('/a', {}),
    create('/x', { acl: [] }),
    remove('/a/b'),
    remove('/a'),
    setData('/a', bytesOf('other')),
    setAcl('/a', world(31), 9),
    deleteRecursive('/a'),
    multi([create('/x'), setData('/', bytesOf('root')), setAcl('/', world(30)), remove('/a/b')]),
  ]
  const zxid = kit.replica.status.zxid
  for (const op of refused) t.not(client.code(op), null, op.op)
  t.equal(kit.snapshot?.header.zxid, zxid + refused.length, 'each was logged')
  t.equal(JSON.stringify(znodes()), before)
  kit.isDiskHeld = true
  client.send(multi([create('/x'), remove('/absent')]))
  client.send(create('/x/y'))
  kit.releaseDisk()
  const codes = client.take().map((frame) => frame.frame === 'reply' && frame.failure?.code)
  t.same(codes, ['noNode', 'noNode'], 'nor does anything behind it see what it would have done')
})
