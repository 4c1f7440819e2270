import t, { type Test } from 'tap'
import type { Stat } from '@conclave/protocol'
import {
  bytesOf,
  create,
  getData,
  ReplicaKit,
  remove,
  setData,
} from '../../../support/replica-kit.js'
import { closeSession, multi, setAcl, statOf, world } from '../../../support/tree-kit.js'

const untouched = { version: 0, cversion: 0, aversion: 0, dataLength: 0, numChildren: 0 }
const plain = { ephemeralOwner: 0, kind: 'persistent', ttlMs: 0 }

t.test('ZNODE-1 an ephemeral is owned by its session and goes with it', async (t) => {
  const kit = new ReplicaKit()
  const [owner, other] = [kit.client(), kit.client()]
  const kinds = ['ephemeral', 'ephemeralSequential'] as const
  for (const kind of kinds) {
    const { path, stat } = owner.create(`/${kind}`, { kind })
    t.equal(stat.ephemeralOwner, owner.sessionId)
    t.equal(other.stat(path)?.ephemeralOwner, owner.sessionId)
  }
  const staying = [
    'persistent',
    'persistentSequential',
    'container',
    'ttl',
    'ttlSequential',
  ] as const
  for (const kind of staying) {
    const { stat } = owner.create(`/${kind}`, { kind, ttlMs: kind.startsWith('ttl') ? 60_000 : 0 })
    t.equal(stat.ephemeralOwner, 0, kind)
  }
  other.create('/of-another', { kind: 'ephemeral' })
  t.equal(statOf(other, '/').numChildren, 8)
  owner.ok(closeSession)
  t.equal(statOf(other, '/').numChildren, 6)
  t.equal(other.stat('/ephemeral'), null)
  t.equal(other.stat('/ephemeralSequential0000000001'), null)
  t.equal(other.stat('/of-another')?.ephemeralOwner, other.sessionId)
})

t.test('ZNODE-2 all ephemerals go in the one txn of the end of their session', async (t) => {
  const kit = new ReplicaKit()
  const [owner, other] = [kit.client(), kit.client()]
  for (const path of ['/p', '/q']) other.create(path)
  for (const path of ['/p/a', '/q/b', '/p/c']) owner.create(path, { kind: 'ephemeral' })
  owner.ok(closeSession)
  const last = kit.log.at(-1)
  t.match(last?.body, { body: 'closeSession', closedSession: owner.sessionId, expired: false })
  const changes = last?.body.body === 'closeSession' ? last.body.changes : []
  t.same(
    changes.map((each) => [each.change, 'path' in each ? each.path : null]),
    [
      ['delete', '/p/a'],
      ['delete', '/q/b'],
      ['delete', '/p/c'],
    ],
  )
  t.equal(statOf(other, '/p').pzxid, last?.zxid)
  t.equal(statOf(other, '/q').pzxid, last?.zxid)
})

t.test('ZNODE-3 data has at most 1,048,576 bytes', async (t) => {
  const client = new ReplicaKit().client()
  const most = new Uint8Array(1_048_576)
  const over = new Uint8Array(1_048_577)
  t.equal(client.create('/a', { data: most }).stat.dataLength, 1_048_576)
  t.equal(client.ok(setData('/a', most)).stat.version, 1)
  t.equal(client.code(create('/b', { data: over })), 'tooLarge')
  t.equal(client.code(setData('/a', over)), 'tooLarge')
  t.equal(client.stat('/b'), null)
  t.equal(client.stat('/a')?.version, 1)
})

t.test('ZNODE-4 null and empty data are the same', async (t) => {
  const client = new ReplicaKit().client()
  const empty = new Uint8Array(0)
  client.create('/null', { data: null })
  client.create('/empty', { data: empty })
  for (const path of ['/set-null', '/set-empty']) client.create(path, { data: bytesOf('x') })
  client.ok(setData('/set-null', null))
  client.ok(setData('/set-empty', empty))
  for (const path of ['/null', '/empty', '/set-null', '/set-empty']) {
    const { data, stat } = client.ok(getData(path))
    t.equal(data, null, path)
    t.equal(stat.dataLength, 0, path)
  }
  for (const path of ['/null', '/empty']) {
    for (const equals of [null, empty]) {
      const compares = [{ compare: 'value', path, equals }] as const
      t.equal(client.ok(multi([], { compares })).branch, 'then')
    }
  }
})

t.test('ZNODE-8 the stat of a znode just made', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { stat } = client.create('/a', { data: bytesOf('xyz') })
  const zxid = kit.log.at(-1)?.zxid
  const time = kit.log.at(-1)?.timeMs
  const expected = {
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: time,
    mtime: time,
    ...untouched,
    ...plain,
    dataLength: 3,
  }
  t.strictSame(stat, expected)
  t.strictSame(client.stat('/a'), expected)
})

/** A tree, its clock moved on, one change; which fields of which stats it moved. */
const moved = (t: Test, path: string, change: (client: Client, kit: ReplicaKit) => void) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  for (const each of ['/a', '/a/b', '/a/b/c']) client.create(each, { data: bytesOf('12') })
  const before = statOf(client, path)
  kit.tick(2)
  change(client, kit)
  const after = statOf(client, path)
  const { zxid, timeMs } = kit.log.at(-1) ?? { zxid: 0, timeMs: 0 }
  t.not(zxid, before.mzxid)
  t.ok(timeMs > before.mtime)
  return { before, after, zxid: zxid as Stat['mzxid'], timeMs }
}

t.test('ZNODE-9 a setData moves version, mzxid, mtime and dataLength only', async (t) => {
  const { before, after, zxid, timeMs } = moved(t, '/a', (client) => {
    const { stat } = client.ok(setData('/a', bytesOf('12345'), 0))
    t.strictSame(stat, client.stat('/a'), 'the answer is the new stat')
  })
  t.strictSame(after, { ...before, version: 1, mzxid: zxid, mtime: timeMs, dataLength: 5 })
})

t.test('ZNODE-10 a setAcl moves aversion only', async (t) => {
  const { before, after } = moved(t, '/a', (client) => {
    const { stat } = client.ok(setAcl('/a', world(17)))
    t.strictSame(stat, client.stat('/a'), 'the answer is the new stat')
  })
  t.strictSame(after, { ...before, aversion: 1 })
})

t.test('ZNODE-11 a create or delete of a child moves three fields of the parent', async (t) => {
  const made = moved(t, '/a', (client) => client.create('/a/new'))
  t.strictSame(made.after, {
    ...made.before,
    cversion: 2,
    numChildren: 2,
    pzxid: made.zxid,
  })
  const gone = moved(t, '/a/b', (client) => client.ok(remove('/a/b/c')))
  t.strictSame(gone.after, {
    ...gone.before,
    cversion: 2,
    numChildren: 0,
    pzxid: gone.zxid,
  })
})

t.test('ZNODE-12 grandchildren, and data and ACL of a child, move nothing', async (t) => {
  const changes: ((client: Client) => unknown)[] = [
    (client) => client.create('/a/b/new'),
    (client) => client.ok(remove('/a/b/c')),
    (client) => client.ok(setData('/a/b', bytesOf('other'))),
    (client) => client.ok(setAcl('/a/b', world(31))),
  ]
  for (const change of changes) {
    const { before, after } = moved(t, '/a', change)
    t.strictSame(after, before)
  }
})

t.test('ZNODE-16 the kind of a znode, and its ttlMs', async (t) => {
  const client = new ReplicaKit().client()
  const table = [
    ['persistent', 0, 'persistent'],
    ['persistentSequential', 0, 'persistent'],
    ['ephemeral', 0, 'ephemeral'],
    ['ephemeralSequential', 0, 'ephemeral'],
    ['container', 0, 'container'],
    ['ttl', 77_000, 'ttl'],
    ['ttlSequential', 88_000, 'ttl'],
  ] as const
  for (const [kind, ttlMs, shown] of table) {
    const { path, stat } = client.create(`/${kind}`, { kind, ttlMs })
    t.match(stat, { kind: shown, ttlMs }, kind)
    t.strictSame(client.stat(path), stat)
  }
})

t.test('ZNODE-17 later txns have no lower times though the wall clock goes back', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const times: number[] = []
  const write = (): void => {
    times.push(client.ok(setData('/', null)).stat.mtime)
  }
  write()
  kit.wallMs -= 3_600_000
  kit.tick()
  write()
  kit.restart()
  const again = kit.client()
  times.push(again.create('/a').stat.ctime)
  t.equal(times.length, 3)
  t.same(
    times,
    times.toSorted((a, b) => a - b),
  )
  t.ok((times[0] ?? 0) >= 1_700_000_000_000)
})

t.test('ZNODE-17 nor do they over restarts, from a snapshot or the log', async (t) => {
  for (const snapshotTxns of [1, 1_000_000]) {
    const kit = new ReplicaKit({ snapshotTxns })
    const times: number[] = []
    const write = (path: string): void => {
      const client = kit.client()
      times.push(client.create(path, { kind: 'ttl', ttlMs: 1_000 }).stat.ctime)
    }
    write('/a')
    for (const path of ['/b', '/c', '/d']) {
      kit.wallMs -= 86_400_000
      kit.restart()
      write(path)
      kit.tick(4)
    }
    kit.isDiskHeld = true
    kit.tick(4)
    const late = kit.client()
    kit.releaseDisk()
    late.take()
    write('/e')
    t.same(
      times,
      times.toSorted((a, b) => a - b),
    )
    t.ok(times.every((time) => time >= 1_700_000_000_000 && time < 1_700_000_002_000))
    t.equal(kit.snapshot !== null, snapshotTxns === 1)
    kit.tick(30)
    const logged = kit.log.map(({ timeMs }) => timeMs)
    t.same(
      logged,
      logged.toSorted((a, b) => a - b),
    )
    t.equal(kit.client().stat('/a'), null, 'and its time is over when it is over')
  }
})

t.test('ZNODE-18 version -1 means any version', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a')
  for (let version = 1; version <= 3; version++) {
    t.equal(client.ok(setData('/a', null, -1)).stat.version, version)
    t.equal(client.ok(setAcl('/a', world(31), -1)).stat.aversion, version)
  }
  t.equal(client.code({ op: 'check', path: '/a', version: -1, linearizable: false }), null)
  t.equal(client.code(remove('/a', -1)), null)
})

type Client = ReturnType<ReplicaKit['client']>
