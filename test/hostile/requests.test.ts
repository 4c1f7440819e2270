import t, { type Test } from 'tap'
import { type Frame, HandClient } from '../support/hand-client.js'
import type { BadRequest } from './fixtures/requests.js'
import * as fixtures from './fixtures/requests.js'
import { attachRaw } from '../support/raw-client.js'
import { startTarget } from './hostile-kit.js'

const target = await startTarget(t)
const url = `ws://127.0.0.1:${target.port}/`

/** Answered with its code, twice alike; then the connection goes on, and nothing has changed. */
const refused = async (t: Test, { code, op }: BadRequest): Promise<void> => {
  const client = await HandClient.attach(url)
  const { znodes } = target.status()
  for (let times = 0; times < 2; times++) t.equal((await client.failure(op()))[0], code)
  t.strictSame(await client.result([10, '/absent', false, false]), [null])
  t.equal(target.status().znodes, znodes)
  await target.progress()
  await client.close()
  await target.settled()
}

for (const each of fixtures.noPath) t.test(`PATH-1 WIRE-8 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badParts) t.test(`PATH-2 WIRE-8 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badCharacters) {
  t.test(`PATH-3 WIRE-8 ${each.name}`, (t) => refused(t, each))
}
for (const each of fixtures.longPaths) t.test(`PATH-4 PATH-7 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.deepPaths) t.test(`PATH-5 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.systemPaths) t.test(`PATH-9 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badVersions) t.test(`ERROR-4 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badLifetimes) t.test(`CHECK-3 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.tooLarge) t.test(`ZNODE-3 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.wideMultis) t.test(`MULTI-12 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.wideGuards) t.test(`MULTI-16 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badReferences) t.test(`MULTI-11 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.wideReads) t.test(`READ-17 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badAcls) t.test(`ACL-8 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.wideAcls) t.test(`ACL-12 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badCursors) t.test(`READ-9 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badCredentials) t.test(`WIRE-8 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.unknownSchemes) t.test(`ACL-11 ${each.name}`, (t) => refused(t, each))

const create = (path: string, acl: Frame | null = null, kind = 'persistent'): Frame => [
  1,
  path,
  null,
  kind,
  acl,
  0,
]

t.test('PATH-3 composed and decomposed letters are two names', async (t) => {
  const client = await HandClient.attach(url)
  await client.result(create('/caf\u00e9'))
  t.strictSame(await client.result([10, '/cafe\u0301', false, false]), [null])
  await client.result(create('/cafe\u0301'))
  await client.close()
})

t.test('ZNODE-5 a prefix that ends in digits takes nobody else’s name', async (t) => {
  const client = await HandClient.attach(url)
  await client.result(create('/digits'))
  const sequential = async (prefix: string): Promise<unknown> =>
    (await client.result(create(prefix, null, 'persistentSequential')))[0]
  t.equal(await sequential('/digits/1'), '/digits/10000000000')
  t.equal(await sequential('/digits/10'), '/digits/100000000001')
  await client.result(create('/digits/0000000003'))
  t.strictSame(await client.failure(create('/digits/', null, 'persistentSequential')), [
    'nodeExists',
    null,
  ])
  await client.close()
})

const everything = 31
const readOnly = 1

t.test('MULTI-1 ACL-2 what is allowed beside what is not allowed does not happen', async (t) => {
  const client = await HandClient.attach(url)
  await client.result(create('/locked', [['world', 'anyone', readOnly]]))
  const mixed = [create('/allowed'), [3, '/locked', null, -1]]
  t.strictSame(await client.failure([6, [], [], mixed, []]), ['noAuth', 1])
  t.strictSame(await client.result([10, '/allowed', false, false]), [null])
  t.strictSame(await client.failure(create('/locked/mine', [['world', 'anyone', everything]])), [
    'noAuth',
    null,
  ])
  t.strictSame(await client.failure([4, '/locked', [['world', 'anyone', everything]], -1]), [
    'noAuth',
    null,
  ])
  await client.close()
})

t.test('CHECK-7 ACL-2 who locks everybody out locks out himself', async (t) => {
  const client = await HandClient.attach(url)
  const nobody = [['digest', `nobody:${'0'.repeat(64)}`, everything]]
  await client.result(create('/lost'))
  await client.result([4, '/lost', nobody, -1])
  for (const op of [
    [4, '/lost', [['world', 'anyone', everything]], -1],
    [11, '/lost', false, false],
    [10, '/lost', false, false],
    [12, '/lost', false, false, null, 0, false],
    [13, '/lost', false],
    [15, '/lost', false, null],
    [5, '/lost', -1, false],
    [21, 1, '/lost', true, true, null],
  ]) {
    t.strictSame(await client.failure(op), ['noAuth', null], `operation ${op[0] as number}`)
  }
  const [[read]] = (await client.result([16, [[11, '/lost']], false])) as [[Frame]]
  t.equal((read[0] as Frame)[0], 'noAuth', 'in a multiRead')
  t.strictSame((await client.failure([6, [], [[2, '/lost', true]], [], []]))[0], 'noAuth')
  await client.close()
})

t.test('STREAM-13 WATCH-16 nothing of a secret child reaches who may not read it', async (t) => {
  const owner = await HandClient.attach(url)
  const spy = await attachRaw(t, target.port)
  await owner.result([20, 'digest', 'owner', 'pw'])
  await owner.result(create('/open'))
  const watch = { path: '/', recursive: true, withDetail: true, from: null } as const
  await spy.result({ op: 'watch', streamId: 1, ...watch })
  await owner.result(create('/open/secret', [['auth', '', everything]]))
  const read = { path: '/open/secret', watch: true, linearizable: false } as const
  t.equal((await spy.ask({ op: 'getData', ...read })).failure?.code, 'noAuth')
  await owner.result([3, '/open/secret', Buffer.from('canary'), -1])
  await owner.result([2, '/open/secret', -1])
  await owner.result([3, '/open', null, -1])
  await spy.ask({ op: 'sync', path: '/' })
  const seen = spy.frames.flatMap((frame) => (frame.frame === 'streamEvents' ? frame.events : []))
  const paths = seen.map(({ path }) => path)
  t.ok(paths.includes('/open'))
  t.notOk(paths.includes('/open/secret'))
  t.notOk(spy.frames.some(({ frame }) => frame === 'event'))
  spy.socket.terminate()
  await owner.close()
  await target.settled()
})
