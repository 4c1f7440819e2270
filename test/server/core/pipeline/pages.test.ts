import t from 'tap'
import type { OpResult } from '@conclave/protocol'
import { create, getChildren, ReplicaKit, remove } from '../../../support/replica-kit.js'
import {
  countDescendants,
  deleteRecursive,
  fill,
  getEphemerals,
  multi,
  numbered,
  pages,
  setAcl,
  worldWithout,
} from '../../../support/tree-kit.js'

/** About a thousand bytes of UTF-8 in a third as many characters. */
const wide = (index: number): string => `${String(index).padStart(5, '0')}${'€'.repeat(330)}`

t.test('READ-6 pages come in creation order and only the last has no cursor', async (t) => {
  const kit = new ReplicaKit({ snapshotTxns: 1 })
  const client = kit.client()
  client.create('/p')
  const names = ['m', 'z', 'a', 'k', 'b', 'y', 'c']
  for (const name of names) client.create(`/p/${name}`)
  t.same(pages(client, '/p', 3), [names.slice(0, 3), names.slice(3, 6), names.slice(6)])
  t.same(
    pages(client, '/p', 1),
    names.map((name) => [name]),
  )
  t.same(pages(client, '/p', 7), [names], 'a full page that is the last one')
  t.same(pages(client, '/p', 100), [names])
  client.ok(remove('/p/z'))
  client.create('/p/z')
  const moved = [['m', 'a', 'k', 'b', 'y', 'c'], ['z']]
  t.same(pages(client, '/p', 6), moved)
  kit.restart()
  t.same(pages(kit.client(), '/p', 6), moved, 'also after a restart from a snapshot')
})

t.test('READ-7 a child that is there throughout appears exactly once', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/p')
  const stay = numbered(40, (i) => `stay${i}`)
  const go = numbered(40, (i) => `go${i}`)
  for (const [i, name] of stay.entries()) {
    fill(client, [`/p/${go[i]}`, `/p/${name}`])
  }
  let round = 0
  const found = pages(client, '/p', 7, () => {
    client.create(`/p/new${round}`)
    for (const name of [go[round * 2], go[39 - round * 2]]) client.reply(remove(`/p/${name}`))
    round += 1
  }).flat()
  t.ok(round >= 8)
  t.same(
    found.filter((name) => name.startsWith('stay')),
    stay,
  )
  t.equal(new Set(found).size, found.length)
})

t.test('READ-8 READ-16 a page has at most 2,000 children, also when limit is 0', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/p')
  fill(
    client,
    numbered(2_001, (i) => `/p/${i}`),
  )
  for (const limit of [0, 2_001, Number.MAX_SAFE_INTEGER]) {
    t.same(
      pages(client, '/p', limit).map(({ length }) => length),
      [2_000, 1],
      `limit ${limit}`,
    )
  }
})

t.test('READ-8 a page has about 512 KiB', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/p')
  fill(
    client,
    numbered(600, (i) => `/p/${wide(i)}`),
  )
  const [first = [], second = [], ...more] = pages(client, '/p', 0)
  t.equal(first.length + second.length, 600)
  t.same(more, [])
  const bytes = Buffer.byteLength(first.join(''))
  t.ok(bytes > 500_000 && bytes < 530_000, `${bytes} bytes`)
  const { children } = client.ok(getChildren('/p', { withStat: true }))
  t.ok(children.length < first.length - 20, 'stats take their room')
})

t.test('READ-9 a cursor that no server made is refused', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/p')
  for (const bytes of [0, 1, 6, 8, 14]) {
    const cursor = new Uint8Array(bytes)
    t.equal(client.code(getChildren('/p', { cursor })), 'badArguments', `${bytes} bytes`)
    t.equal(client.code(getEphemerals('/p', cursor)), 'badArguments', `${bytes} bytes`)
  }
  for (const bytes of [0, 1, 8, 66 * 7]) {
    t.equal(client.code(countDescendants('/p', new Uint8Array(bytes))), 'badArguments')
  }
  const beyond = new Uint8Array(7).fill(255)
  t.equal(client.code(getChildren('/p', { cursor: beyond })), 'badArguments')
  t.equal(client.code(getEphemerals('/p', beyond)), 'badArguments')
  t.equal(client.code(countDescendants('/p', beyond)), 'badArguments')
})

t.test('READ-10 the pieces of countDescendants add up', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  for (const path of ['/p', '/p/a', '/p/a/deep', '/p/b', '/q']) client.create(path)
  fill(
    client,
    numbered(6_000, (i) => `/p/a/deep/${i}`),
  )
  fill(
    client,
    numbered(6_000, (i) => `/p/b/${i}`),
  )
  const count = (path: string, between = (): void => {}): number[] => {
    const counts: number[] = []
    let cursor: Uint8Array | null = null
    do {
      const piece: OpResult<'countDescendants'> = client.ok(countDescendants(path, cursor))
      counts.push(piece.count)
      cursor = piece.cursor
      between()
    } while (cursor !== null)
    return counts
  }
  t.same(count('/p'), [10_000, 2_003])
  t.same(count('/p/a/deep'), [6_000])
  t.same(count('/q'), [0])
  t.same(count('/'), [10_000, 2_005])
  client.ok(multi([remove('/p/b/5999'), remove('/p/b/5998'), remove('/p/b/5997')]))
  t.same(
    count('/p', () => void client.reply(remove('/p/b/3996'))),
    [10_000, 2_000],
  )
  kit.restart()
  const later = kit.client()
  const { cursor } = later.ok(countDescendants('/p'))
  fill(later, ['/p/b/more'])
  later.ok(multi([remove('/p/b/more')]))
  while (!later.ok(deleteRecursive('/p/b')).done) later.ackedXid = later.xid as never
  t.same(later.ok(countDescendants('/p', cursor)), { count: 0, cursor: null }, 'its place is gone')
})

t.test('READ-11 getEphemerals gives the own ones at or below the path, in pages', async (t) => {
  const kit = new ReplicaKit()
  const [client, other] = [kit.client(), kit.client()]
  for (const path of ['/p', '/pq', '/p/deep']) client.create(path)
  const kind = 'ephemeral'
  for (const path of ['/p/z', '/pq/b', '/p/deep/a', '/p/c']) client.create(path, { kind })
  for (const path of ['/p/other', '/x']) other.create(path, { kind })
  t.same(client.ok(getEphemerals('/')).paths, ['/p/z', '/pq/b', '/p/deep/a', '/p/c'])
  t.same(client.ok(getEphemerals('/p')).paths, ['/p/z', '/p/deep/a', '/p/c'])
  t.same(client.ok(getEphemerals('/p/c')), { paths: ['/p/c'], cursor: null })
  t.same(client.ok(getEphemerals('/absent')).paths, [])
  t.same(other.ok(getEphemerals('/')).paths, ['/p/other', '/x'])
  const many = numbered(600, (i) => `/pq/${wide(i)}`)
  fill(other, many, kind)
  const first = other.ok(getEphemerals('/pq'))
  t.equal(first.paths.length, 600, 'a page ends between two txns')
  fill(other, ['/pq/last'], kind)
  const again = other.ok(getEphemerals('/pq'))
  t.equal(again.paths.length, 600)
  t.same(other.ok(getEphemerals('/pq', again.cursor)), { paths: ['/pq/last'], cursor: null })
})

t.test('READ-12 deleteRecursive deletes in pieces of 1,000, deepest first', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  for (const path of ['/p', '/p/a', '/p/a/b', '/keep']) client.create(path)
  fill(
    client,
    numbered(1_200, (i) => `/p/a/b/${i}`),
  )
  client.create('/p/last')
  const remove = deleteRecursive('/p')
  t.same(client.ok(remove), { deleted: 1_000, done: false })
  t.equal(client.stat('/p/a/b')?.numChildren, 200)
  t.same(client.ok(remove), { deleted: 204, done: true })
  const body = kit.log.at(-1)?.body
  const changes = body !== undefined && 'changes' in body ? body.changes : []
  const paths = changes.slice(-4).map((each) => ('path' in each ? each.path : ''))
  t.same(paths, ['/p/a/b', '/p/a', '/p/last', '/p'])
  t.equal(client.stat('/p'), null)
  t.equal(kit.replica.status.znodes, 2)
  t.equal(client.code(remove), 'noNode')
  client.create('/leaf')
  t.same(client.ok(deleteRecursive('/leaf')), { deleted: 1, done: true })
})

t.test('READ-12 deleteRecursive leaves for the next piece what is only proposed', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  for (const path of ['/p', '/p/a', '/p/b']) client.create(path)
  kit.isDiskHeld = true
  client.send(create('/p/b/new'))
  client.send(remove('/p/a'))
  client.send(deleteRecursive('/p'))
  client.send(deleteRecursive('/q'))
  kit.releaseDisk()
  const replies = client.take().flatMap((frame) => (frame.frame === 'reply' ? [frame] : []))
  t.same(replies.at(2)?.result, [0, false])
  t.match(replies.at(3)?.failure, { code: 'noNode' })
  t.same(client.ok(deleteRecursive('/p')), { deleted: 3, done: true })
})

t.test('READ-13 what earlier pieces deleted stays deleted', async (t) => {
  const client = new ReplicaKit().client()
  for (const path of ['/p', '/p/a', '/p/b', '/p/b/c']) client.create(path)
  fill(
    client,
    numbered(1_000, (i) => `/p/a/${i}`),
  )
  client.ok(setAcl('/p/b', worldWithout(8)))
  t.same(client.ok(deleteRecursive('/p')), { deleted: 1_000, done: false })
  t.equal(client.code(deleteRecursive('/p')), 'noAuth')
  t.equal(client.stat('/p/a')?.numChildren, 0, 'the first piece stays, the refused one did nothing')
  t.ok(client.stat('/p/b/c'))
})
