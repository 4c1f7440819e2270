import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Frame, HandClient } from '../support/hand-client.js'
import { ServerProcess } from '../support/server-process.js'

/**
 * Every array below is written from docs/PROTOCOL.md alone; nothing of the protocol package, the
 * SDK or msgpackr is loaded in this process.
 */
const root = mkdtempSync(join(tmpdir(), 'conclave-raw-'))
const server = new ServerProcess({ data: join(root, 'data') })
await server.start()
t.teardown(async () => {
  await server.stop()
  rmSync(root, { recursive: true })
})

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const hello = bytes('hello')
const kinds = ['persistent', 'ephemeral', 'container', 'ttl']

t.test('PROTO-1 a connect opens a session', async (t) => {
  const client = await HandClient.attach(server.url)
  t.equal(client.subprotocol, 'conclave.v1')
  const connected = client.frames[0] as Frame
  t.equal(connected.length, 9)
  const [frame, sessionId, timeoutMs, ensembleId, zxid, serverId, resumed, role, epoch] = connected
  t.strictSame([frame, timeoutMs, serverId, resumed], [1, 10_000, 1, false])
  t.equal(role, 'leading')
  t.ok((epoch as number) > 0)
  t.ok((sessionId as number) > 0 && (sessionId as number) <= (zxid as number))
  t.match(ensembleId, /^.{1,64}$/)
  await client.close()
})

t.test('PROTO-2 create makes every kind and answers path and stat', async (t) => {
  const client = await HandClient.attach(server.url)
  const before = Date.now() - 60_000
  await client.result([1, '/kinds', null, 'persistent', null, 0])
  const made: readonly (readonly [string, number, string, string])[] = [
    ['persistent', 0, '/kinds/persistent', 'persistent'],
    ['ephemeral', 0, '/kinds/ephemeral', 'ephemeral'],
    ['persistentSequential', 0, '/kinds/persistentSequential0000000002', 'persistent'],
    ['ephemeralSequential', 0, '/kinds/ephemeralSequential0000000003', 'ephemeral'],
    ['container', 0, '/kinds/container', 'container'],
    ['ttl', 3_600_000, '/kinds/ttl', 'ttl'],
    ['ttlSequential', 3_600_000, '/kinds/ttlSequential0000000006', 'ttl'],
  ]
  for (const [kind, ttlMs, path, znodeKind] of made) {
    const reply = await client.request([1, `/kinds/${kind}`, hello, kind, null, ttlMs])
    t.equal(reply.length, 5)
    const [, , zxid, failure, result] = reply
    t.equal(failure, null)
    const [madePath, stat, ...more] = result as readonly [string, Frame]
    t.strictSame([madePath, more], [path, []])
    t.equal(stat.length, 13)
    const owner = znodeKind === 'ephemeral' ? client.session.sessionId : 0
    const [time] = [stat[3] as number]
    t.ok(time > before && time < Date.now() + 60_000, 'ctime is in milliseconds since 1970')
    const wanted = [zxid, zxid, zxid, time, time, 0, 0, 0, owner, 5, 0, znodeKind, ttlMs]
    t.strictSame(stat, wanted, kind)
    t.ok(kinds.includes(stat[11] as string))
  }
  t.strictSame(await client.failure([1, '/kinds/ttl', null, 'persistent', null, 0]), [
    'nodeExists',
    null,
  ])
  t.strictSame(await client.failure([1, '/no/parent', null, 'persistent', null, 0]), [
    'noNode',
    null,
  ])
  await client.close()
})

t.test('PROTO-3 single znodes are read, checked, written and deleted', async (t) => {
  const client = await HandClient.attach(server.url)
  await client.result([1, '/one', hello, 'persistent', null, 0])
  const [data, stat] = (await client.result([11, '/one', false, false])) as [Uint8Array, Frame]
  t.strictSame(data, hello)
  t.strictSame(await client.result([10, '/one', false, true]), [stat], 'exists, linearizable')
  t.strictSame(await client.result([10, '/absent', false, false]), [null])
  t.strictSame(await client.failure([11, '/absent', false, false]), ['noNode', null])
  const [set] = (await client.result([3, '/one', bytes('more'), 0])) as [Frame]
  t.strictSame([set[0], set[5], set[9]], [stat[0], 1, 4], 'czxid, version, dataLength')
  t.ok((set[1] as number) > (stat[1] as number), 'mzxid')
  t.strictSame(await client.failure([3, '/one', null, 0]), ['badVersion', null])
  t.strictSame(await client.result([5, '/one', 1, false]), [])
  t.strictSame(await client.failure([5, '/one', 2, true]), ['badVersion', null])
  const acl = [['world', 'anyone', 31]]
  t.strictSame((await client.result([13, '/one', false]))[0], acl)
  const closed = [['world', 'anyone', 1 + 8 + 16]]
  const [changed] = (await client.result([4, '/one', closed, -1])) as [Frame]
  t.equal(changed[7], 1, 'aversion')
  t.strictSame(await client.failure([3, '/one', null, -1]), ['noAuth', null])
  t.strictSame(await client.failure([4, '/one', [], -1]), ['invalidAcl', null])
  await client.result([1, '/one/child', null, 'persistent', null, 0]).catch(() => undefined)
  t.strictSame(await client.failure([2, '/one', 7]), ['badVersion', null])
  t.strictSame(await client.result([2, '/one', 1]), [])
  t.strictSame(await client.failure([2, '/one', -1]), ['noNode', null])
  await client.close()
})

t.test('PROTO-4 pages and pieces go on with their cursors', async (t) => {
  const client = await HandClient.attach(server.url)
  await client.result([1, '/pages', null, 'persistent', null, 0])
  const names = ['d', 'a', 'c', 'e', 'b']
  for (const name of names) {
    await client.result([1, `/pages/${name}`, null, 'ephemeral', null, 0])
  }
  const found: unknown[] = []
  let cursor: Uint8Array | null = null
  let pages = 0
  do {
    const page = await client.result([12, '/pages', false, false, cursor, 2, pages === 1])
    const [children, next, stat] = page as [readonly Frame[], Uint8Array | null, Frame]
    t.strictSame([page.length, stat.length, stat[10]], [3, 13, 5], 'the stat of the parent')
    for (const [name, childStat] of children) {
      found.push(name)
      if (pages === 1) t.equal((childStat as Frame).length, 13)
      else t.equal(childStat, null)
    }
    cursor = next
    pages += 1
  } while (cursor !== null)
  t.strictSame([found, pages], [names, 3], 'in creation order')
  const all = await client.result([12, '/pages', false, false, null, 0, false])
  t.equal((all[0] as Frame).length, 5, 'limit 0 is no limit but the server’s')
  t.strictSame(await client.failure([12, '/pages', false, false, hello, 2, false]), [
    'badArguments',
    null,
  ])
  const own = await client.result([14, '/pages', false, null])
  t.strictSame(own, [names.map((name) => `/pages/${name}`), null])
  t.strictSame(await client.result([15, '/pages', false, null]), [5, null])
  t.strictSame(await client.result([7, '/pages']), [6, true])
  t.strictSame(await client.result([10, '/pages', false, false]), [null])
  await client.close()
})

t.test('PROTO-5 a multi runs one branch, all or nothing', async (t) => {
  const client = await HandClient.attach(server.url)
  await client.result([1, '/multi', null, 'persistent', null, 0])
  const then = [
    [1, '/multi/job-', hello, 'persistentSequential', null, 0],
    [1, [0, '/state'], null, 'persistent', null, 0],
    [3, '/multi', [0, '/state'], 0],
    [5, [0, ''], 0],
    [2, [0, '/state'], -1],
  ]
  const reply = await client.request([6, [], [], then, []])
  const [branch, results] = reply[4] as [string, readonly Frame[]]
  t.equal(branch, 'then')
  t.equal(results.length, 5)
  const [job, state, set, check, deleted] = results as [Frame, Frame, Frame, Frame, Frame]
  t.strictSame([job[0], state[0]], ['/multi/job-0000000000', '/multi/job-0000000000/state'])
  t.strictSame(
    [job[1], state[1], set[1]].map((stat) => (stat as Frame)[1]),
    [reply[2], reply[2], reply[2]],
  )
  t.strictSame([set[0], check, deleted], [null, [null, null], [null, null]])
  const [data] = await client.result([11, '/multi', false, false])
  t.strictSame(data, bytes('/multi/job-0000000000/state'))

  const multi = (await client.result([10, '/multi', false, false]))[0] as Frame
  const compares = [
    [1, '/multi', 1],
    [2, '/multi/absent', false],
    [3, '/multi/job-0000000000', hello],
    [4, '/multi', 0],
    [5, '/multi', multi[0] as number],
  ]
  const yes = [[3, '/multi', bytes('then'), -1]]
  const no = [[3, '/multi', bytes('else'), -1]]
  t.equal((await client.result([6, [], compares, yes, no]))[0], 'then')
  const [other, [otherSet]] = (await client.result([6, [], compares, yes, no])) as [string, [Frame]]
  t.equal(other, 'else', 'the version has moved')
  t.equal((otherSet[1] as Frame)[5], 3)

  const fence = ['/multi', multi[0] as number]
  t.equal((await client.result([6, [fence], [], yes, []]))[0], 'then')
  const broken = ['/multi', (multi[0] as number) + 1]
  t.strictSame((await client.failure([6, [broken], [], yes, []]))[0], 'fenced')
  const failing = [
    [1, '/multi/never', null, 'persistent', null, 0],
    [5, '/multi', 99],
  ]
  t.strictSame(await client.failure([6, [], [], failing, []]), ['badVersion', 1])
  t.strictSame(await client.result([10, '/multi/never', false, false]), [null])
  t.strictSame((await client.failure([6, [], [], [[3, [0, ''], null, -1]], []]))[0], 'badArguments')
  await client.close()
})

t.test('PROTO-6 a multiRead, a sync and a whoAmI', async (t) => {
  const client = await HandClient.attach(server.url)
  await client.result([1, '/reads', hello, 'persistent', null, 0])
  await client.result([1, '/reads/child', null, 'persistent', null, 0])
  t.strictSame(await client.result([17, '/reads']), [])
  const reads = [
    [10, '/absent'],
    [11, '/reads'],
    [12, '/reads'],
    [13, '/reads'],
    [11, '/absent'],
  ]
  const [results] = (await client.result([16, reads, true])) as [readonly Frame[]]
  t.equal(results.length, 5)
  const [exists, data, children, acl, failed] = results as [Frame, Frame, Frame, Frame, Frame]
  const stat = (data[2] as Frame)[1]
  t.strictSame(exists, [null, [null], null, null, null])
  t.strictSame(data, [null, null, [hello, stat], null, null])
  t.strictSame(children, [null, null, null, [[['child', null]], null, stat], null])
  t.strictSame(acl, [null, null, null, null, [[['world', 'anyone', 31]], stat]])
  t.strictSame([(failed[0] as Frame)[0], failed.slice(1)], ['noNode', [null, null, null, null]])
  const [sessionId, identities] = (await client.result([18])) as [number, readonly Frame[]]
  t.equal(sessionId, client.session.sessionId)
  t.strictSame(
    identities.map(([scheme]) => scheme),
    ['ip'],
  )
  await client.close()
})

t.test('PROTO-7 auth gives an identity that ACLs name', async (t) => {
  const client = await HandClient.attach(server.url)
  const [identity] = (await client.result([20, 'digest', 'ann', 'secret'])) as [Frame]
  t.equal(identity[0], 'digest')
  t.match(identity[1], /^ann:[0-9a-f]{64}$/)
  const acl = [
    ['auth', '', 31],
    ['world', 'anyone', 1],
    ['ip', '10.0.0.0/8', 2],
  ]
  await client.result([1, '/secret', hello, 'persistent', acl, 0])
  const [stored] = await client.result([13, '/secret', false])
  t.strictSame(stored, [['digest', identity[1], 31], acl[1], acl[2]])

  const other = await HandClient.attach(server.url)
  t.strictSame(await other.failure([3, '/secret', null, -1]), ['noAuth', null])
  const [masked] = await other.result([13, '/secret', false])
  t.strictSame((masked as readonly Frame[])[0], ['digest', 'ann:***', 31])
  t.strictSame(await other.failure([1, '/x', null, 'persistent', [['auth', '', 31]], 0]), [
    'invalidAcl',
    null,
  ])
  await other.result([20, 'digest', 'ann', 'secret'])
  await other.result([3, '/secret', null, -1])
  await Promise.all([client.close(), other.close()])
})
