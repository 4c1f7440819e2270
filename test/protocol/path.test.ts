import t from 'tap'
import { pathFault, sequentialPathFault } from '@conclave/protocol'
import { create, ReplicaKit } from '../support/replica-kit.js'
import { exists } from '../support/tree-kit.js'

const client = new ReplicaKit().client()

/** What a server says to a request with each path: the code, or null when it is answered. */
const codes = (paths: readonly string[]): (string | null)[] =>
  paths.map((path) => client.code(exists(path)))

const allOf = (paths: readonly string[], code: string | null): (string | null)[] =>
  paths.map(() => code)

const unit = (code: number): string => `/x${String.fromCharCode(code)}y`

t.test('PATH-1 a path starts with a slash and only the root ends with one', async (t) => {
  const bad = ['', 'a', 'ab', 'a/b', 'ab/cd', '/a/', '/a/b/', '//']
  t.same(codes(bad), allOf(bad, 'badArguments'))
  const good = ['/', '/a', '/a/b']
  t.same(codes(good), allOf(good, null))
})

t.test('PATH-2 a part is not empty, not a dot and not two dots', async (t) => {
  const bad = ['//a', '/a//b', '/.', '/..', '/a/./b', '/a/../b', '/a/.', '/a/..']
  t.same(codes(bad), allOf(bad, 'badArguments'))
  const good = ['/...', '/.a', '/..a', '/a.', '/a..', '/a/.../b', '/.a/..b']
  t.same(codes(good), allOf(good, null))
})

t.test('PATH-3 the ends of every range of banned characters', async (t) => {
  const bad = [0x00, 0x01, 0x1f, 0x7f, 0x9f, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xf8ff]
  bad.push(0xfff0, 0xffff)
  t.same(codes(bad.map(unit)), allOf(bad.map(unit), 'badArguments'))
  const good = [0x20, 0x7e, 0xa0, 0xd7ff, 0xf900, 0xffef]
  t.same(codes(good.map(unit)), allOf(good.map(unit), null))
  t.same(codes(['/\u{10000}', '/a/\u{1f600}']), ['badArguments', 'badArguments'])
})

t.test('PATH-4 a path has at most 1,024 bytes of UTF-8', async (t) => {
  const bytes = (count: number): string => `/${'a'.repeat(count - 1)}`
  const wide = (count: number): string => `/${'é'.repeat((count - 2) / 2)}a`
  const wider = (count: number): string => `/${'€'.repeat((count - 1) / 3)}`
  t.same(codes([bytes(1_024), wide(1_024), wider(1_024)]), [null, null, null])
  const over = [bytes(1_025), wide(1_026), wider(1_027), bytes(100_000)]
  t.same(codes(over), allOf(over, 'badArguments'))
})

t.test('PATH-5 a path has at most 64 levels', async (t) => {
  t.same(codes(['/a'.repeat(64), '/a'.repeat(65)]), [null, 'badArguments'])
})

t.test('PATH-6 the path of a sequential create may end with a slash', async (t) => {
  client.create('/dir')
  const kind = 'persistentSequential'
  t.equal(client.create('/dir/', { kind }).path, '/dir/0000000000')
  t.equal(client.create('/dir/n-', { kind }).path, '/dir/n-0000000001')
  t.equal(client.create('/dir/', { kind: 'ephemeralSequential' }).path, '/dir/0000000002')
  t.equal(client.create('/', { kind }).path, '/0000000001', 'the root had one child before')
  const bad = ['', 'a', '//', '/dir//', '/./', '/a\u0000']
  t.same(
    bad.map((path) => client.code(create(path, { kind }))),
    allOf(bad, 'badArguments'),
  )
  t.equal(client.code(create('/dir/')), 'badArguments', 'of no other create')
  t.equal(sequentialPathFault('/.'), null, 'with digits it is no dot')
})

t.test('PATH-7 a sequential create leaves room for sixteen digits', async (t) => {
  const kind = 'persistentSequential'
  const prefix = (bytes: number): string => `/${'s'.repeat(bytes - 1)}`
  t.equal(client.code(create(prefix(1_009), { kind })), 'badArguments')
  t.equal(client.create(prefix(1_008), { kind }).path.length, 1_018)
  t.equal(pathFault(prefix(1_009)), null)
})
