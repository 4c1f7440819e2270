import t from 'tap'
import type { MultiOp, NameRef } from '@conclave/protocol'
import { bytesOf, create, getData, ReplicaKit } from '../../../support/replica-kit.js'
import { getChildren, remove, setData } from '../../../support/replica-kit.js'
import { multi, setAcl, statOf, world } from '../../../support/tree-kit.js'

const checkOf = (path: string, version = -1): MultiOp => ({ op: 'check', path, version })
const ref = (index: number, suffix = ''): NameRef => ({ index, suffix })
const none = { path: null, stat: null }

t.test('MULTI-1 all ops of a multi or none, under one zxid', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/a')
  const before = kit.replica.status.zxid
  client.ok(multi([create('/b'), create('/c'), setData('/a', bytesOf('x'))]))
  t.equal(kit.replica.status.zxid, before + 1)
  t.equal(statOf(client, '/b').czxid, before + 1)
  t.equal(statOf(client, '/c').czxid, before + 1)
  t.equal(statOf(client, '/a').mzxid, before + 1)
  const refused = multi([create('/d'), remove('/b'), setData('/a', null), create('/c')])
  t.equal(client.code(refused), 'nodeExists')
  t.equal(client.stat('/d'), null)
  t.ok(client.stat('/b'))
  t.equal(statOf(client, '/a').version, 1)
  t.equal(statOf(client, '/').numChildren, 3)
})

t.test('MULTI-2 a later op sees what the earlier ones did', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a')
  const kind = 'persistentSequential'
  const { results } = client.ok(
    multi([
      setData('/a', bytesOf('1'), 0),
      setData('/a', bytesOf('2'), 1),
      checkOf('/a', 2),
      create('/a/n', { kind }),
      create('/a/n', { kind }),
      remove('/a/n0000000000'),
      setAcl('/a', world(31), 0),
      setAcl('/a', world(31), 1),
      create('/b'),
      create('/b/c'),
      remove('/b/c'),
      remove('/b'),
      create('/e', { kind: 'ephemeral' }),
    ]),
  )
  t.equal(results.length, 13)
  t.equal(results[4]?.path, '/a/n0000000001')
  t.match(statOf(client, '/a'), { version: 2, aversion: 2, cversion: 3, numChildren: 1 })
  t.equal(client.stat('/b'), null)
  const codes: [MultiOp[], string][] = [
    [[remove('/a/n0000000001'), checkOf('/a/n0000000001')], 'noNode'],
    [[create('/f', { kind: 'ephemeral' }), create('/f/g')], 'noChildrenForEphemerals'],
    [[setAcl('/a', world(1)), create('/a/x')], 'noAuth'],
    [[create('/x'), create('/x')], 'nodeExists'],
    [[create('/x'), create('/x/y'), remove('/x')], 'notEmpty'],
    [[setData('/a', null), checkOf('/a', 2)], 'badVersion'],
  ]
  for (const [ops, code] of codes) t.equal(client.code(multi(ops)), code)
})

t.test('MULTI-3 the results of a multi, each as it was right after its op', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/old')
  const { branch, results } = client.ok(
    multi([
      create('/a', { data: bytesOf('xyz') }),
      create('/a/b'),
      setData('/a', bytesOf('12')),
      setAcl('/a', world(31)),
      checkOf('/a'),
      remove('/old'),
    ]),
  )
  t.equal(branch, 'then')
  const zxid = kit.replica.status.zxid
  const time = kit.log.at(-1)?.timeMs ?? 0
  const fresh = {
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: time,
    mtime: time,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeralOwner: 0,
    dataLength: 0,
    numChildren: 0,
    kind: 'persistent',
    ttlMs: 0,
  } as const
  const parent = { ...fresh, cversion: 1, numChildren: 1, version: 1, dataLength: 2 }
  t.strictSame(results, [
    { path: '/a', stat: { ...fresh, dataLength: 3 } },
    { path: '/a/b', stat: fresh },
    { path: null, stat: parent },
    { path: null, stat: { ...parent, aversion: 1 } },
    none,
    none,
  ])
  t.same(client.ok(multi([])), { branch: 'then', results: [] })
})

t.test('MULTI-4 the failure is that of the first op that fails, with its index', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a')
  const lists: [MultiOp[], string, number][] = [
    [[remove('/absent'), create('/a')], 'noNode', 0],
    [[create('/b'), create('/a'), remove('/absent')], 'nodeExists', 1],
    [[create('/b'), checkOf('/b', 0), checkOf('/b', 1)], 'badVersion', 2],
    [[create('/b'), create('/c', { acl: [] })], 'invalidAcl', 1],
  ]
  for (const [ops, code, index] of lists) {
    const { failure, result } = client.reply(multi(ops))
    t.match(failure, { code, index })
    t.equal(result, null)
  }
  const compares = [{ compare: 'exists', path: '/a', equals: false }] as const
  const otherwise = multi([remove('/absent')], { compares, else: [create('/b'), create('/a')] })
  t.match(client.refused(otherwise), { code: 'nodeExists', index: 1 }, 'in the list that ran')
})

t.test('MULTI-5 a multi that fails on the state takes a zxid', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const before = kit.replica.status.zxid
  const { zxid, failure } = client.reply(multi([create('/a'), remove('/absent')]))
  t.equal(zxid, before + 1)
  t.match(kit.log.at(-1), {
    zxid: before + 1,
    sessionId: client.sessionId,
    xid: client.xid,
    body: {
      body: 'error',
      code: 'noNode',
      index: 1,
      message: failure?.message,
    },
  })
  t.equal(client.code(multi([create('a')])), 'badArguments')
  t.equal(kit.replica.status.zxid, before + 1, 'one that is wrong by itself takes none')
})

t.test('MULTI-10 a reference is the path that an earlier create made', async (t) => {
  const client = new ReplicaKit().client()
  const kind = 'persistentSequential'
  client.create('/q')
  client.create('/q/pre')
  const { results } = client.ok(
    multi([
      create('/q/n-', { kind, data: bytesOf('first') }),
      { ...create(''), path: ref(0, '/child'), data: ref(0, '?x=é') },
      { ...create(''), path: ref(0, '/seq-'), kind },
      setData('/q', null),
      { op: 'setData', path: ref(2), data: ref(1), version: 0 },
      { op: 'setAcl', path: ref(0), acl: world(31), version: 0 },
      { op: 'check', path: ref(1), version: 0 },
      remove('/q/pre'),
    ]),
  )
  const made = '/q/n-0000000001'
  t.same(
    results.slice(0, 3).map(({ path }) => path),
    [made, `${made}/child`, `${made}/seq-0000000001`],
  )
  t.same(client.ok(getData(`${made}/child`)).data, bytesOf(`${made}?x=é`))
  t.same(client.ok(getData(`${made}/seq-0000000001`)).data, bytesOf(`${made}/child`))
  t.match(statOf(client, made), { aversion: 1, numChildren: 2 })
  const removed = multi([create('/q/t', { kind }), { op: 'delete', path: ref(0), version: 0 }])
  t.equal(client.code(removed), null)
  t.equal(client.ok(getChildren('/q')).children.length, 1)
  const compares = [{ compare: 'exists', path: '/q', equals: false }] as const
  const other = [create('/q/z', { kind }), { ...create(''), path: ref(0, '/in-else') }]
  const answer = client.ok(multi([create('/q/y', { kind })], { compares, else: other }))
  t.equal(answer.results[1]?.path, '/q/z0000000003/in-else', 'of the same list')
  const bad = multi([create('/q/u', { kind }), { ...create(''), path: ref(0, '//x') }])
  t.match(client.refused(bad), { code: 'badArguments', index: 1 }, 'what it makes is judged')
  const big = { ...create('/q/big'), data: ref(0, 'x'.repeat(1_048_576 - 20)) }
  t.match(client.refused(multi([create('/q/' + 'u'.repeat(30)), big])), {
    code: 'tooLarge',
    index: 1,
  })
})

t.test('MULTI-11 a reference names an earlier create of the same list', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/a')
  const { zxid } = kit.replica.status
  const at = (path: NameRef): MultiOp => ({ ...create(''), path })
  const lists: [MultiOp[], number][] = [
    [[at(ref(0, '/self'))], 0],
    [[create('/b'), at(ref(2, '/later')), create('/c')], 1],
    [[setData('/a', null), at(ref(0, '/no-create'))], 1],
    [[create('/b'), at(ref(9, '/beyond'))], 1],
    [[create('/b'), { ...create('/c'), data: ref(1) }], 1],
    [[checkOf('/a'), { op: 'setData', path: '/a', data: ref(0), version: -1 }], 1],
    [[checkOf('/a'), { op: 'setAcl', path: ref(0), acl: world(31), version: -1 }], 1],
    [[checkOf('/a'), { op: 'delete', path: ref(0), version: -1 }], 1],
    [[checkOf('/a'), { op: 'check', path: ref(0), version: -1 }], 1],
  ]
  for (const [ops, index] of lists) {
    t.match(client.refused(multi(ops)), { code: 'badArguments', index }, JSON.stringify(ops))
  }
  const elsewhere = multi([create('/b')], { else: [at(ref(0, '/x'))] })
  t.match(client.refused(elsewhere), { code: 'badArguments', index: 0 })
  t.equal(kit.replica.status.zxid, zxid)
})

t.test('MULTI-12 a multi has at most 128 ops in both lists together', async (t) => {
  const client = new ReplicaKit().client()
  const checks = (count: number): MultiOp[] => Array.from({ length: count }, () => checkOf('/'))
  t.equal(client.code(multi(checks(128))), null)
  t.equal(client.code(multi(checks(100), { else: checks(28) })), null)
  t.equal(client.code(multi(checks(129))), 'tooLarge')
  t.equal(client.code(multi(checks(100), { else: checks(29) })), 'tooLarge')
  t.equal(client.code(multi([], { else: checks(129) })), 'tooLarge')
})

t.test('MULTI-17 an invalid op in either list refuses the whole multi', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { zxid } = kit.replica.status
  const invalid: [MultiOp, string][] = [
    [create('bad'), 'badArguments'],
    [create('/a', { kind: 'ttl' }), 'badArguments'],
    [setData('/', new Uint8Array(1_048_576)), 'tooLarge'],
    [checkOf('/a/'), 'badArguments'],
    [setAcl('/a//b', []), 'badArguments'],
  ]
  for (const [op, code] of invalid) {
    t.match(client.refused(multi([create('/x'), op])), { code })
    t.match(client.refused(multi([create('/x')], { else: [checkOf('/'), op] })), { code })
  }
  const second = multi([create('/x')], { else: [checkOf('/'), create('bad')] })
  t.equal(client.refused(second).index, 1)
  t.equal(client.stat('/x'), null)
  t.equal(kit.replica.status.zxid, zxid, 'it takes no zxid')
})
