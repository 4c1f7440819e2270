import t from 'tap'
import type { Acl, Op } from '@conclave/protocol'
import { create, getChildren, getData, ReplicaKit } from '../../../support/replica-kit.js'
import { type ClientKit, remove, setData } from '../../../support/replica-kit.js'
import { auth, digest, getAcl, setAcl, whoAmI, world } from '../../../support/tree-kit.js'

const aclOf = (client: ClientKit, path: string): Acl => client.ok(getAcl(path)).acl

t.test('ACL-1 a create without an ACL is open to everybody', async (t) => {
  const kit = new ReplicaKit()
  const [a, b] = [kit.client(), kit.client()]
  const open = [{ scheme: 'world', id: 'anyone', permissions: 31 }]
  a.create('/a', { acl: null })
  t.strictSame(aclOf(b, '/a'), open)
  a.create('/b', { acl: world(31) })
  t.strictSame(aclOf(b, '/b'), open)
  const ops = [getData('/a'), setData('/a', null), create('/a/b'), remove('/a/b')]
  for (const op of ops) t.equal(b.code(op), null)
  b.ok(setAcl('/a', world(1)))
  t.strictSame(aclOf(a, '/a'), world(1))
})

t.test('ACL-2 each bit lets one sort of operation through', async (t) => {
  const client = new ReplicaKit().client()
  const needs: [bit: number, op: (path: string) => Op][] = [
    [1, (path) => getData(path)],
    [2, (path) => setData(path, null)],
    [4, (path) => create(`${path}/made`)],
    [8, (path) => remove(`${path}/child`)],
    [16, (path) => setAcl(path, world(31))],
  ]
  for (const [bit] of needs) {
    for (const [needed, op] of needs) {
      const path = `/${bit}-${needed}`
      client.create(path)
      client.create(`${path}/child`)
      client.ok(setAcl(path, world(bit)))
      t.equal(client.code(op(path)), bit === needed ? null : 'noAuth', path)
    }
  }
})

t.test('ACL-3 a child made without an ACL is open, whatever its parent says', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a', { acl: world(4) })
  client.create('/a/b')
  t.equal(client.code(getData('/a')), 'noAuth')
  t.strictSame(aclOf(client, '/a/b'), world(31))
  client.create('/a/b/c', { acl: world(1) })
  t.strictSame(aclOf(client, '/a/b/c'), world(1))
})

t.test('ACL-4 an auth adds an identity, and entries with its id apply', async (t) => {
  const kit = new ReplicaKit()
  const [ann, other] = [kit.client(), kit.client()]
  const { identity } = ann.ok(auth('ann', 'secret'))
  t.match(identity, { scheme: 'digest', id: /^ann:[0-9a-f]{64}$/ })
  ann.create('/hers', { acl: [{ scheme: 'digest', id: identity.id, permissions: 1 }] })
  t.equal(ann.code(getData('/hers')), null)
  t.equal(ann.code(setData('/hers', null)), 'noAuth')
  t.equal(other.code(getData('/hers')), 'noAuth')
  t.equal(ann.code(auth('ann:x', 'secret')), 'badArguments')
  t.equal(ann.code(auth('', 'secret')), 'badArguments')
  const wrong: Op = { op: 'auth', scheme: 'ldap', user: 'ann', password: 'secret' }
  t.equal(ann.code(wrong), 'authFailed')
  t.equal(ann.ok(whoAmI).identities.length, 2)
})

t.test('ACL-5 the same user and password are the same identity everywhere', async (t) => {
  const kit = new ReplicaKit()
  const [one, two] = [kit.client(), kit.client()]
  const { identity } = one.ok(auth('ann', 'secret'))
  t.strictSame(two.ok(auth('ann', 'secret')).identity, identity)
  t.notSame(two.ok(auth('ann', 'Secret')).identity, identity)
  t.notSame(two.ok(auth('bob', 'secret')).identity, identity)
  kit.restart()
  const later = kit.client()
  t.strictSame(later.ok(auth('ann', 'secret')).identity, identity)
})

t.test('ACL-6 auth stands for the digest identities of who asks', async (t) => {
  const client = new ReplicaKit().client()
  const mine: Acl = [{ scheme: 'auth', id: '', permissions: 17 }]
  t.equal(client.code(create('/a', { acl: mine })), 'invalidAcl')
  client.create('/b')
  t.equal(client.code(setAcl('/b', mine)), 'invalidAcl')
  const ids = [client.ok(auth('ann', '1')), client.ok(auth('bob', '2'))].map((r) => r.identity.id)
  const stored = ids.map((id) => ({ scheme: 'digest', id, permissions: 17 }))
  client.create('/a', { acl: [...mine, ...world(1)] })
  t.strictSame(aclOf(client, '/a'), [...stored, ...world(1)])
  client.ok(setAcl('/b', mine))
  t.strictSame(aclOf(client, '/b'), stored)
})

t.test('ACL-7 an ip entry applies to connections from that address', async (t) => {
  const kit = new ReplicaKit()
  const from = (address: string): ClientKit => {
    const client = kit.open(address)
    client.connect()
    return client
  }
  const near = from('10.1.2.3')
  near.create('/v4', { acl: [{ scheme: 'ip', id: '10.1.0.0/16', permissions: 1 }] })
  near.create('/v6', { acl: [{ scheme: 'ip', id: 'fd00::/8', permissions: 1 }] })
  const codes = (address: string): (string | null)[] => {
    const client = from(address)
    return ['/v4', '/v6'].map((path) => client.code(getData(path)))
  }
  t.same(codes('10.1.255.255'), [null, 'noAuth'])
  t.same(codes('::ffff:10.1.0.1'), [null, 'noAuth'])
  t.same(codes('10.2.0.0'), ['noAuth', 'noAuth'])
  t.same(codes('fd12::1'), ['noAuth', null])
  t.same(codes('fe80::1'), ['noAuth', 'noAuth'])
})

t.test('ACL-8 an invalid ACL is refused by create and by setAcl', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a')
  const invalid: Acl[] = [
    [],
    world(0),
    world(32),
    [...world(31), { scheme: 'world', id: 'all', permissions: 1 }],
    [{ scheme: 'auth', id: 'me', permissions: 1 }],
    [{ scheme: 'digest', id: 'ann:secret', permissions: 1 }],
    [{ scheme: 'ip', id: '10.0.0.0/33', permissions: 1 }],
  ]
  for (const acl of invalid) {
    t.equal(client.code(create('/b', { acl })), 'invalidAcl', JSON.stringify(acl))
    t.equal(client.code(setAcl('/a', acl)), 'invalidAcl', JSON.stringify(acl))
  }
  t.equal(client.stat('/b'), null)
  t.equal(client.stat('/a')?.aversion, 0)
})

t.test('ACL-9 without ADMIN the hashes of digest entries are hidden', async (t) => {
  const kit = new ReplicaKit()
  const [ann, other] = [kit.client(), kit.client()]
  const { id } = ann.ok(auth('ann', 'secret')).identity
  const acl: Acl = [
    { scheme: 'digest', id, permissions: 16 },
    ...digest('bob', 2),
    { scheme: 'ip', id: '10.0.0.0/8', permissions: 3 },
    ...world(1),
  ]
  ann.create('/a', { acl })
  t.strictSame(aclOf(ann, '/a'), acl)
  t.strictSame(aclOf(other, '/a'), [
    { scheme: 'digest', id: 'ann:***', permissions: 16 },
    { scheme: 'digest', id: 'bob:***', permissions: 2 },
    { scheme: 'ip', id: '10.0.0.0/8', permissions: 3 },
    ...world(1),
  ])
  const reads = [{ op: 'getAcl', path: '/a' }] as const
  const { results } = other.ok({ op: 'multiRead', reads, linearizable: false })
  t.match(results[0]?.getAcl?.acl[0], { id: 'ann:***' }, 'in a multiRead too')
})

t.test('ACL-10 a new connection of the session has no digest identity', async (t) => {
  const kit = new ReplicaKit()
  const first = kit.client()
  first.ok(auth('ann', 'secret'))
  first.create('/a', { acl: [{ scheme: 'auth', id: '', permissions: 1 }] })
  const { sessionId, nonce } = first
  const second = kit.open('10.0.0.9')
  second.connect({ sessionId, nonce, attach: 2 })
  second.xid = first.xid
  t.equal(second.sessionId, sessionId)
  t.same(second.ok(whoAmI).identities, [{ scheme: 'ip', id: '10.0.0.9' }])
  t.equal(second.code(getData('/a')), 'noAuth')
  second.ok(auth('ann', 'secret'))
  t.equal(second.code(getData('/a')), null)
})

t.test('ACL-12 auth may not stand for more than 64 entries', async (t) => {
  const client = new ReplicaKit().client()
  for (const user of ['a', 'b']) client.ok(auth(user, 'x'))
  const entries = (count: number): Acl =>
    Array.from({ length: count }, (_, i) => ({
      scheme: 'auth',
      id: '',
      permissions: 16 + (i % 15),
    }))
  t.equal(client.code(create('/over', { acl: entries(33) })), 'invalidAcl')
  client.create('/full', { acl: entries(32) })
  t.equal(aclOf(client, '/full').length, 64)
})

t.test('ACL-13 a connection has at most 16 identities besides its address', async (t) => {
  const client = new ReplicaKit().client()
  for (let i = 0; i < 16; i++) t.equal(client.code(auth(`user${i}`, 'x')), null)
  t.equal(client.code(auth('user16', 'x')), 'tooLarge')
  t.equal(client.code(auth('user0', 'x')), null, 'one that it has already')
  t.equal(client.ok(whoAmI).identities.length, 17)
  t.equal(client.code(getChildren('/')), null)
})
