import t from 'tap'
import type { Compare, Zxid } from '@conclave/protocol'
import { bytesOf, create, ReplicaKit, remove, setData } from '../../../support/replica-kit.js'
import { fence, type Guards, multi, statOf, worldWithout } from '../../../support/tree-kit.js'

const holds = (path: string, equals = true): Compare => ({ compare: 'exists', path, equals })

t.test('MULTI-6 compares choose the list that runs', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a')
  const branchOf = (...compares: Compare[]): string => {
    const op = multi([create('/then')], { compares, else: [create('/else')] })
    const { branch, results } = client.ok(op)
    t.equal(results[0]?.path, `/${branch}`)
    t.equal(client.stat(branch === 'then' ? '/else' : '/then'), null, 'the other list did not run')
    client.ok(remove(`/${branch}`))
    return branch
  }
  t.equal(branchOf(), 'then')
  t.equal(branchOf(holds('/a')), 'then')
  t.equal(branchOf(holds('/a'), holds('/b', false)), 'then')
  t.equal(branchOf(holds('/a', false)), 'else')
  t.equal(branchOf(holds('/a', false), holds('/a')), 'else')
  t.equal(branchOf(holds('/a'), holds('/a', false)), 'else')
  t.same(client.ok(multi([create('/x')], { compares: [holds('/b')] })), {
    branch: 'else',
    results: [],
  })
})

t.test('MULTI-7 a compare holds when the znode has exactly the given one', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/p', { data: bytesOf('abc') })
  client.ok(setData('/p', bytesOf('abc')))
  client.create('/e', { kind: 'ephemeral' })
  const { czxid } = statOf(client, '/p')
  const { sessionId } = client
  const table: [Compare, boolean][] = [
    [{ compare: 'version', path: '/p', equals: 1 }, true],
    [{ compare: 'version', path: '/p', equals: 0 }, false],
    [{ compare: 'version', path: '/p', equals: 2 }, false],
    [holds('/p'), true],
    [holds('/p', false), false],
    [holds('/absent', false), true],
    [{ compare: 'value', path: '/p', equals: bytesOf('abc') }, true],
    [{ compare: 'value', path: '/p', equals: bytesOf('abd') }, false],
    [{ compare: 'value', path: '/p', equals: bytesOf('ab') }, false],
    [{ compare: 'value', path: '/p', equals: bytesOf('abcd') }, false],
    [{ compare: 'value', path: '/p', equals: null }, false],
    [{ compare: 'value', path: '/e', equals: null }, true],
    [{ compare: 'ephemeralOwner', path: '/e', equals: sessionId }, true],
    [{ compare: 'ephemeralOwner', path: '/p', equals: sessionId }, false],
    [{ compare: 'ephemeralOwner', path: '/p', equals: 0 as typeof sessionId }, true],
    [{ compare: 'czxid', path: '/p', equals: czxid }, true],
    [{ compare: 'czxid', path: '/p', equals: (czxid + 1) as Zxid }, false],
  ]
  for (const [compare, expected] of table) {
    const { branch } = client.ok(multi([], { compares: [compare] }))
    t.equal(branch, expected ? 'then' : 'else', JSON.stringify(compare))
  }
})

t.test('MULTI-8 a compare of what may not be read refuses the multi', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/closed', { acl: worldWithout(1) })
  const { sessionId } = client
  const compares: Compare[] = [
    holds('/closed'),
    holds('/closed', false),
    { compare: 'version', path: '/closed', equals: 0 },
    { compare: 'value', path: '/closed', equals: null },
    { compare: 'ephemeralOwner', path: '/closed', equals: sessionId },
    { compare: 'czxid', path: '/closed', equals: 1 as Zxid },
  ]
  for (const compare of compares) {
    const guards = { compares: [holds('/', false), compare], else: [create('/x')] }
    t.match(client.refused(multi([create('/x')], guards)), { code: 'noAuth', index: null })
  }
  t.equal(client.stat('/x'), null)
})

t.test('MULTI-9 a fence that does not hold refuses the multi', async (t) => {
  const client = new ReplicaKit().client()
  const { czxid } = client.create('/grant', { kind: 'ephemeral' }).stat
  client.create('/closed', { acl: worldWithout(1) })
  const good = fence('/grant', czxid)
  t.equal(client.code(multi([create('/a')], { fences: [good] })), null)
  const refused: Guards[] = [
    { fences: [fence('/absent', czxid)] },
    { fences: [fence('/grant', czxid + 1)] },
    { fences: [fence('/grant', czxid - 1)] },
    { fences: [good, fence('/absent', 1)] },
    { fences: [fence('/absent', 1)], compares: [holds('/closed')] },
    { fences: [fence('/absent', 1)], compares: [holds('/', false)] },
  ]
  for (const guards of refused) {
    const op = multi([create('/b')], { ...guards, else: [create('/b')] })
    t.match(client.refused(op), { code: 'fenced', index: null }, JSON.stringify(guards))
  }
  t.equal(client.stat('/b'), null)
  client.ok(remove('/grant'))
  client.create('/grant', { kind: 'ephemeral' })
  t.equal(client.code(multi([], { fences: [good] })), 'fenced', 'made again it is another grant')
})

t.test('MULTI-13 a refusal by a fence or compare has no index', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/closed', { acl: worldWithout(1) })
  const { czxid } = client.create('/grant', { acl: worldWithout(1) }).stat
  const indexOf = (guards: Guards): unknown => client.refused(multi([create('/x')], guards)).index
  t.equal(indexOf({ fences: [fence('/absent', 1)] }), null)
  t.equal(indexOf({ fences: [fence('/grant', czxid)] }), null)
  t.equal(indexOf({ compares: [holds('/closed')] }), null)
  t.equal(indexOf({ fences: [fence('bad', 1)] }), null)
  t.equal(indexOf({ compares: [holds('bad')] }), null)
  t.equal(client.refused(multi([create('/closed')])).index, 0)
})

t.test('MULTI-14 of an absent znode only exists false holds', async (t) => {
  const client = new ReplicaKit().client()
  const path = '/absent'
  const compares: Compare[] = [
    holds(path),
    { compare: 'version', path, equals: 0 },
    { compare: 'value', path, equals: null },
    { compare: 'ephemeralOwner', path, equals: 0 as typeof client.sessionId },
    { compare: 'czxid', path, equals: 0 as Zxid },
  ]
  for (const compare of compares) {
    t.equal(client.ok(multi([], { compares: [compare] })).branch, 'else', compare.compare)
  }
  t.equal(client.ok(multi([], { compares: [holds(path, false)] })).branch, 'then')
})

t.test('MULTI-15 a fence that holds needs READ', async (t) => {
  const client = new ReplicaKit().client()
  const { czxid } = client.create('/grant', { acl: worldWithout(1) }).stat
  const guarded = (token: number): string | null =>
    client.code(multi([create('/a')], { fences: [fence('/grant', token)] }))
  t.equal(guarded(czxid), 'noAuth')
  t.equal(guarded(czxid + 1), 'fenced')
  t.equal(client.stat('/a'), null)
})

t.test('MULTI-16 fences and compares are bounded, and so are the bytes of a multi', async (t) => {
  const client = new ReplicaKit().client()
  const fences = Array.from({ length: 64 }, () => fence('/', 0))
  const compares = (count: number): Compare[] => Array.from({ length: count }, () => holds('/'))
  t.equal(client.code(multi([], { fences, compares: compares(64) })), null)
  t.equal(client.code(multi([], { fences, compares: compares(65) })), 'tooLarge')
  t.equal(client.code(multi([], { compares: compares(129) })), 'tooLarge')
  const half = 524_288
  client.create('/a')
  const pair = (bytes: number): ReturnType<typeof multi> =>
    multi([setData('/a', new Uint8Array(half)), setData('/a', new Uint8Array(bytes))])
  t.equal(client.code(pair(half - 4)), null, 'data and paths together')
  t.equal(client.code(pair(half - 3)), 'tooLarge')
  const value = { compare: 'value', path: '/a', equals: new Uint8Array(1) } as const
  const one = multi([setData('/a', new Uint8Array(2 * half - 4))], { compares: [value] })
  t.equal(client.code(one), 'tooLarge', 'the values of compares too')
  const path = `/${'p'.repeat(1_000)}`
  const other = { else: [setData('/a', new Uint8Array(2 * half - 900)), setData(path, null)] }
  t.equal(client.code(multi([], other)), 'tooLarge', 'and the list that would not run')
  const wide = `/${'\u20ac'.repeat(300)}`
  const inBytes = { else: [setData('/a', new Uint8Array(2 * half - 800)), setData(wide, null)] }
  t.equal(client.code(multi([], inBytes)), 'tooLarge', 'a character counts as its bytes')
  const fenced = { fences: [fence(path, 1)] }
  t.equal(client.code(multi([setData('/a', new Uint8Array(2 * half - 900))], fenced)), 'tooLarge')
})
