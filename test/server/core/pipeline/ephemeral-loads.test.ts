import {
  type Acl,
  type AclEntry,
  aclBytes,
  aclSchema,
  limits,
  openAcl,
  type Op,
  type Identity,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import { pack } from '@conclave/protocol/codec'
import { type Change, type Txn, txnSchema } from '@conclave/protocol/peer'
import fc from 'fast-check'
import t from 'tap'
import { EphemeralLoads } from '#server/core/pipeline/ephemeral-loads.js'
import { Outstanding } from '#server/core/pipeline/outstanding.js'
import { isFailure, prepareChange } from '#server/core/pipeline/prepare-change.js'
import { prepareCloseSession } from '#server/core/pipeline/prepare.js'
import { ReplicatedState } from '#server/core/pipeline/replicated-state.js'
import { type ClientKit, create, remove, ReplicaKit } from '../../../support/replica-kit.js'
import { reattach } from '../../../support/session-kit.js'
import { digest, multi, setAcl } from '../../../support/tree-kit.js'

/** Everybody may do everything, and so may many with the longest ids. */
const largeAcl = (name: string, entries: number = limits.aclEntriesMax): Acl => [
  ...openAcl,
  ...Array.from({ length: entries - 1 }, (_, i): AclEntry => {
    const user = `${name}-${i}`.padEnd(limits.aclIdBytesMax - 65, 'x')
    return { scheme: 'digest', id: `${user}:${'a'.repeat(64)}`, permissions: 31 }
  }),
]

const ephemeral = (path: string, acl: Acl | null = null): Op<'create'> =>
  create(path, { kind: 'ephemeral', acl })

/** How many ephemerals with a large ACL of its own each fit beside `used` bytes. */
const room = (used: number): number =>
  Math.floor((limits.ephemeralBytesPerSessionMax - used) / (64 + 3 * 6 + aclBytes(largeAcl(''))))

const fillUp = (client: ClientKit, count: number): void => {
  for (let i = 0; i < count; i++) {
    client.ackedXid = client.xid as Xid
    client.ok(ephemeral(`/e${String(i).padStart(4, '0')}`, largeAcl(`own-${i}`)))
  }
}

t.test('LIMIT-16 the ephemerals of a session have a bound in bytes', async (t) => {
  const kit = new ReplicaKit({ snapshotTxns: 50 })
  let client = kit.client()
  const other = kit.client()
  const full = room(0)
  fillUp(client, full)
  const more = ephemeral('/more', largeAcl('more'))
  t.match(client.refused(more), { code: 'tooLarge', message: /share or shorten ACLs, delete/ })
  t.equal(client.code(create('/lasting', { acl: largeAcl('more') })), null, 'of no other kind')
  t.equal(other.code(ephemeral('/other', largeAcl('more'))), null, 'of no other session')
  t.equal(client.code(ephemeral('/shared', largeAcl('own-0'))), null, 'an equal ACL counts once')
  const failed = multi([remove('/e0001'), more, ephemeral('/more-still', largeAcl('still'))])
  t.match(client.refused(failed), { code: 'tooLarge', index: 2 })
  t.equal(client.code(more), 'tooLarge', 'what failed has freed nothing')
  t.equal(client.code(multi([remove('/e0001'), more])), null, 'one goes, one comes')
  t.match(other.refused(setAcl('/shared', largeAcl('its-own'))), { code: 'tooLarge' })
  t.equal(other.code(setAcl('/shared', digest('small', 31))), null, 'its owner is charged less')
  t.equal(other.code(setAcl('/e0000', digest('small', 31))), null)
  kit.restart()
  client = reattach(client)
  t.equal(client.code(ephemeral('/after', largeAcl('after'))), null, 'what was freed before')
  t.equal(client.code(ephemeral('/no-more', largeAcl('no-more'))), 'tooLarge', 'and no more')
})

t.test('LIMIT-16 what a session is charged is what its ephemerals take', async () => {
  const acls = [null, digest('a', 31), digest('b', 31), largeAcl('large', 2)]
  const step = fc.record({
    op: fc.constantFrom('create', 'delete', 'setAcl', 'setData', 'ask', 'close'),
    path: fc.constantFrom('/a', '/b', '/c', '/d/e', '/d/f'),
    owner: fc.constantFrom(101, 102),
    acl: fc.nat(acls.length - 1),
    then: fc.constantFrom('stage', 'keep', 'keep', 'takeBack', 'apply'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ground = new Ground()
      for (const { op, path, owner, acl, then } of steps) {
        const sessionId = owner as SessionId
        if (op === 'ask') ground.znodes.ephemeralLoadOf(sessionId)
        else if (op === 'close') ground.close(sessionId)
        else ground.change(op, path, sessionId, acls[acl] ?? null)
        if (then === 'keep') ground.keep()
        if (then === 'takeBack') ground.takeBack()
        if (then === 'apply') ground.applyOne()
        if (then !== 'stage') ground.check([101, 102] as SessionId[])
      }
    }),
  )
})

t.test('LIMIT-16 an ACL that others kept meanwhile counts once again', async (t) => {
  const ground = new Ground()
  const [own, other] = [101, 102] as [SessionId, SessionId]
  const make = (path: string, owner: SessionId): void => {
    ground.change('create', path, owner, digest('a', 31))
    ground.keep()
  }
  ground.change('create', '/d/f', own, null)
  make('/a', own)
  make('/b', other)
  while (ground.applyOne());
  ground.change('delete', '/a', own, null)
  ground.keep()
  make('/c', own)
  make('/d/e', own)
  while (ground.applyOne());
  ground.change('delete', '/c', own, null)
  ground.check([own, other])
  t.equal(ground.znodes.ephemeralLoadOf(own).count, 2)
})

t.test('LIMIT-16 LIMIT-1 the largest closeSession fits a record', async (t) => {
  const encodedBytes = (acl: Acl): number => pack(aclSchema.encode(acl)).length
  const largest = encodedBytes(largeAcl('parent'))
  t.ok(largest > 30_000 && largest <= 64 * (16 + 512), `${largest} bytes`)
  for (const acl of [largeAcl('a', 2), digest('ü', 1), largeAcl('c')]) {
    t.ok(encodedBytes(acl) <= aclBytes(acl), 'an ACL is not charged less than it takes')
  }
  const everything =
    limits.ephemeralBytesPerSessionMax + limits.ephemeralsPerSessionMax * 64 * (16 + 512) + 1_024
  t.ok(everything <= limits.recordBytesMax)

  const ground = new Ground()
  const owner = 101 as SessionId
  const count = 300
  const parents: Acl[] = []
  for (let i = 0; i < count; i++) {
    const acl = largeAcl(`parent-${i}`, 1 + (i % 3))
    parents.push(acl)
    const parent = `/${i}`.padEnd(400, i % 2 === 0 ? 'p' : 'ü')
    ground.change('create', parent, 0 as SessionId, acl)
    ground.change('create', `${parent}/${'e'.repeat(20)}`, owner, largeAcl(`own-${i % 7}`, 2))
  }
  ground.keep()
  while (ground.applyOne());
  const charged = ground.znodes.ephemeralLoadOf(owner)
  t.equal(charged.count, count)
  ground.close(owner)
  const txn = ground.keep()
  const { length } = pack(txnSchema.encode(txn as Txn))
  const allowed = charged.bytes + parents.reduce((sum, acl) => sum + aclBytes(acl), 0) + 1_024
  t.ok(length <= allowed, `${length} of ${allowed} bytes`)
})

/** A tree, proposals and what is staged, without a server around them. */
class Ground {
  readonly #state = new ReplicatedState()
  readonly znodes: Outstanding
  readonly #proposals: Txn[] = []
  #staged: Change[] = []
  #zxid = 0 as Zxid

  constructor() {
    this.#state.plant()
    this.znodes = new Outstanding(this.#state.tree)
    this.change('create', '/d', 0 as SessionId, null)
    this.keep()
  }

  change(
    op: 'create' | 'delete' | 'setAcl' | 'setData',
    path: string,
    owner: SessionId,
    acl: Acl | null,
  ): void {
    const identities: Identity[] = [
      { scheme: 'ip', id: '127.0.0.1' },
      ...['a', 'b']
        .flatMap((user) => digest(user, 31))
        .map(({ id }): Identity => ({ scheme: 'digest', id })),
    ]
    const zxid = (this.#zxid + 1) as Zxid
    const judgement = { znodes: this.znodes, zxid, timeMs: 1, sessionId: owner, identities }
    const kind = owner === 0 ? 'persistent' : 'ephemeral'
    const changed = {
      create: () =>
        prepareChange(judgement, { op: 'create', path, data: null, kind, acl, ttlMs: 0 }),
      delete: () => prepareChange(judgement, { op: 'delete', path, version: -1 }),
      setData: () => prepareChange(judgement, { op: 'setData', path, data: null, version: -1 }),
      setAcl: () =>
        prepareChange(judgement, { op: 'setAcl', path, acl: acl ?? digest('a', 31), version: -1 }),
    }[op]()
    if (isFailure(changed)) this.takeBack()
    else this.#staged.push(changed)
  }

  close(sessionId: SessionId): void {
    if (this.#staged.length > 0) this.keep()
    const zxid = (this.#zxid + 1) as Zxid
    const { changes } = prepareCloseSession({ znodes: this.znodes, zxid }, sessionId, true)
    this.#staged.push(...changes)
  }

  keep(): Txn | undefined {
    const changes = this.#staged
    if (changes.length === 0) return undefined
    this.#staged = []
    this.#zxid = (this.#zxid + 1) as Zxid
    this.znodes.keep(this.#zxid)
    const body = { body: 'write', answer: { answer: 'single' }, changes } as const
    const nobody = { sessionId: 0 as SessionId, xid: 0 as Xid, ackedXid: 0 as Xid }
    const txn: Txn = { zxid: this.#zxid, epoch: 1 as Txn['epoch'], timeMs: 1, ...nobody, body }
    this.#proposals.push(txn)
    return txn
  }

  takeBack(): void {
    this.#staged = []
    this.znodes.takeBack()
  }

  applyOne(): boolean {
    const txn = this.#proposals.shift()
    if (txn === undefined) return false
    if (txn.body.body === 'write') {
      for (const change of txn.body.changes) this.#state.tree.apply(change, txn)
      this.#state.tree.applied()
    }
    this.znodes.applied(txn.zxid)
    return true
  }

  /** Nothing may be staged: then the znodes to come can be added up afresh. */
  check(sessions: readonly SessionId[]): void {
    if (this.#staged.length > 0) this.keep()
    for (const sessionId of sessions) {
      const { count, bytes } = this.znodes.ephemeralLoadOf(sessionId)
      const fresh = new EphemeralLoads((id) => this.znodes.ephemeralsOf(id)).of(sessionId)
      if (count !== fresh.count || bytes !== fresh.bytes) {
        throw new Error(`charged ${count}, ${bytes} bytes; is ${fresh.count}, ${fresh.bytes}`)
      }
      const all = sessions.reduce((sum, id) => sum + this.znodes.ephemeralsOf(id).length, 0)
      const paths = ['/a', '/b', '/c', '/d/e', '/d/f']
      const there = paths.filter((path) => this.znodes.get(path) !== undefined).length
      if (all !== there) throw new Error(`${all} ephemerals are listed, ${there} are there`)
    }
  }
}
