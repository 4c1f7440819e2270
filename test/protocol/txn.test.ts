import {
  type Acl,
  type AclEntry,
  limits,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import { pack, unpack } from '@conclave/protocol/codec'
import { type Change, type Txn, type TxnBody, txnSchema } from '@conclave/protocol/peer'
import t from 'tap'

const owner = 9 as SessionId

/** Always another object. */
const aclOf = (user: string, entries = 1): Acl =>
  Array.from({ length: entries }, (_, i): AclEntry => {
    return { scheme: 'digest', id: `${user}${i}:${'a'.repeat(64)}`, permissions: 31 }
  })

const create = (path: string, acl: Acl | null, parentAcl: Acl | null): Change => ({
  change: 'create',
  path,
  data: null,
  acl,
  kind: 'ephemeral',
  ephemeralOwner: owner,
  ttlMs: 0,
  ordinal: 0,
  parentAcl,
})

const remove = (path: string, acl: Acl | null, parentAcl: Acl | null): Change => {
  const stat = { czxid: 1 as Zxid, mzxid: 2 as Zxid, mtime: 3, version: 4, ephemeralOwner: owner }
  return { change: 'delete', path, acl, ...stat, parentAcl }
}

const txnOf = (body: TxnBody): Txn => ({
  zxid: 7 as Zxid,
  epoch: 1 as Txn['epoch'],
  timeMs: 5,
  sessionId: owner,
  xid: 1 as Xid,
  ackedXid: 0 as Xid,
  body,
})

const written = (changes: readonly Change[]): Txn =>
  txnOf({ body: 'write', answer: { answer: 'multi', branch: 'then' }, changes })

const decoded = (txn: Txn): Txn => txnSchema.decode(unpack(pack(txnSchema.encode(txn))), 'txn')
const aclsOf = (txn: Txn): unknown => (txnSchema.encode(txn) as readonly unknown[])[6]

const version = 1
const changes: readonly Change[] = [
  create('/a', aclOf('x'), null),
  { change: 'setAcl', path: '/a', acl: aclOf('y', 2), aversion: 1 },
  { change: 'check' },
  remove('/b', aclOf('x'), aclOf('y', 2)),
  {
    change: 'setData',
    path: '/a',
    data: new Uint8Array([1]),
    acl: aclOf('z'),
    version,
    czxid: 1 as Zxid,
    ephemeralOwner: owner,
  },
  create('/c', null, aclOf('z')),
]

t.test('DISK-34 a txn is written with each ACL once, and read with all of them', async (t) => {
  const txn = written(changes)
  t.equal((aclsOf(txn) as unknown[]).length, 3, 'equal ones are one')
  t.same(decoded(txn), txn)
  const end = txnOf({ body: 'closeSession', closedSession: owner, expired: true, changes })
  t.same(decoded(end), end)
  t.same(aclsOf(end), aclsOf(txn))
  t.same(aclsOf(txnOf({ body: 'error', code: 'noNode', message: '', index: null })), [])
})

t.test('DISK-34 what was read is written as the same bytes', async (t) => {
  const txn = written(changes)
  const bytes = pack(txnSchema.encode(txn))
  t.same(pack(txnSchema.encode(decoded(txn))), bytes)
  const shared = written([create('/a', aclOf('x'), null), create('/b', aclOf('x'), null)])
  const acl = aclOf('x')
  const same = written([create('/a', acl, null), create('/b', acl, null)])
  t.same(pack(txnSchema.encode(shared)), pack(txnSchema.encode(same)), 'whoever holds what how')
})

t.test('DISK-34 many ephemerals with one large ACL take little', async (t) => {
  const large = aclOf('user'.repeat(30), limits.aclEntriesMax)
  const one = pack(txnSchema.encode(written([remove('/e', large, large)]))).length
  const many = Array.from({ length: 100 }, (_, i) => remove(`/e${i}`, large, large))
  t.ok(one > 10_000 && pack(txnSchema.encode(written(many))).length < one + 100 * 64)
})

t.test('DISK-34 a change that names no ACL of its txn is refused', async (t) => {
  const txn = written([remove('/b', aclOf('x'), aclOf('y'))])
  const withPlaces = (acl: unknown, parentAcl: unknown): unknown => {
    const whole = txnSchema.encode(txn) as unknown[]
    const body = whole[7] as unknown[]
    const [change] = body[2] as unknown[][]
    const changed = change?.map((value, i) => (i === 2 ? acl : i === 8 ? parentAcl : value))
    return [...whole.slice(0, 7), [body[0], body[1], [changed]]]
  }
  t.same(txnSchema.decode(withPlaces(0, 1), 'txn'), txn, 'these are the places')
  t.match(txnSchema.decode(withPlaces(null, 0), 'txn'), {
    body: { changes: [{ acl: null, parentAcl: aclOf('x') }] },
  })
  for (const [acl, parentAcl] of [
    [2, 0],
    [0, 2],
    [-1, 0],
    [0, 0.5],
    ['0', 0],
    [0, Number.MAX_SAFE_INTEGER],
  ]) {
    t.throws(() => txnSchema.decode(withPlaces(acl, parentAcl), 'txn'), { name: 'ShapeError' })
  }
})
