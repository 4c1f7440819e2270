import { type Client, ConclaveError, type Stat, TooLargeError } from '#client/index.js'
import { listTree } from '#client/recipes/tree-listing.js'
import type { WatchEvent, WatchStream } from '#client/watch.js'
import type { Zxid } from '@conclave/protocol'
import t from 'tap'
import { fakeStat } from '../../support/fake-server.js'
import { rejection } from '../client-kit.js'

const at = (zxid: number) => ({ ensembleId: 'e1', zxid: zxid as Zxid, index: 0 })

/** What a znode is in these tests: its mzxid. */
type Tree = Readonly<Record<string, number>>

/** A tree that looks different each time it is read from its root on, and counts the requests. */
class FakeClient {
  requests = 0
  rounds = 0
  readonly #trees: readonly Tree[]
  readonly #readsMax: number

  constructor(trees: readonly Tree[], readsMax = Infinity) {
    this.#trees = trees
    this.#readsMax = readsMax
  }

  get client(): Client {
    return this as unknown as Client
  }

  get #tree(): Tree {
    return this.#trees[this.rounds - 1] ?? {}
  }

  get(path: string): Promise<{ readonly data: Uint8Array; readonly stat: Stat }> {
    this.requests += 1
    if (path === '/s') this.rounds += 1
    const mzxid = this.#tree[path]
    if (mzxid === undefined) return Promise.reject(new ConclaveError('noNode', { path }))
    return Promise.resolve({ data: new Uint8Array([1]), stat: fakeStat({ czxid: 1, mzxid }) })
  }

  list(path: string) {
    this.requests += 1
    const names = Object.keys(this.#tree)
      .filter((each) => each.slice(0, each.lastIndexOf('/')) === path)
      .map((each) => each.slice(path.length + 1))
    return { toArray: () => Promise.resolve(names) }
  }

  async multiRead(reads: readonly ({ readonly get: string } | { readonly list: string })[]) {
    this.requests += 1
    if (reads.length > this.#readsMax) throw new TooLargeError()
    const outcomes = reads.map(async (read) => {
      this.requests -= 1
      try {
        const value =
          'get' in read
            ? await this.get(read.get)
            : { children: await this.list(read.list).toArray(), stat: fakeStat() }
        return { ok: true, value }
      } catch (error) {
        return { ok: false, error }
      }
    })
    return Promise.all(outcomes)
  }
}

/** A stream of what was written down; it has caught up after each `caughtUp`. */
const streamOf = (...events: readonly (WatchEvent | 'end')[]): WatchStream => {
  const left = [...events]
  const stream = {
    isCaughtUp: false,
    position: at(0),
    next() {
      const event = left.shift()
      if (event === undefined) return Promise.reject(new Error('too many were taken'))
      if (event === 'end') return Promise.resolve({ done: true, value: undefined })
      stream.isCaughtUp = event.type === 'caughtUp'
      stream.position = event.position
      return Promise.resolve({ done: false, value: event })
    },
  }
  return stream as unknown as WatchStream
}

const changed = (
  type: 'created' | 'dataChanged' | 'deleted',
  path: string,
  zxid: number,
): WatchEvent => {
  const stat = { czxid: 1 as Zxid, mzxid: zxid as Zxid, version: 0, mtime: 0 }
  const detail = { ...stat, data: null, ephemeralOwner: 0 as never }
  return { type, path, zxid, detail, position: at(zxid) }
}
const caughtUp = (zxid: number): WatchEvent => ({ type: 'caughtUp', position: at(zxid) })

const list = async (fake: FakeClient, stream: WatchStream, entriesMax = 1_000) => {
  const { signal } = new AbortController()
  const listing = await listTree(fake.client, stream, { path: '/s', signal, entriesMax })
  if (listing === null) return null
  const tree = Object.fromEntries([...listing.znodes].map(([path, { mzxid }]) => [path, mzxid]))
  return { tree, zxid: listing.zxid }
}

t.test('RECIPE-100 what was read is brought to one zxid by what came meanwhile', async (t) => {
  const fake = new FakeClient([{ '/s': 5, '/s/a': 12, '/s/new': 14, '/s/gone': 3, '/s/again': 16 }])
  const stream = streamOf(
    changed('dataChanged', '/s/a', 11),
    changed('dataChanged', '/s/a', 12),
    changed('created', '/s/unseen', 13),
    changed('created', '/s/new', 14),
    changed('dataChanged', '/s/new', 14),
    changed('deleted', '/s/again', 15),
    changed('created', '/s/again', 16),
    changed('deleted', '/s/gone', 17),
    changed('created', '/s/brief', 18),
    changed('deleted', '/s/brief', 19),
    caughtUp(20),
  )
  t.strictSame(await list(fake, stream), {
    tree: { '/s': 5, '/s/a': 12, '/s/new': 14, '/s/again': 16, '/s/unseen': 13 },
    zxid: 20,
  })
})

t.test('RECIPE-102 a gap while the tree is read has it read again', async (t) => {
  const fake = new FakeClient([
    { '/s': 5, '/s/a': 6 },
    { '/s': 5, '/s/b': 30 },
  ])
  const gap = { type: 'gap', from: 10, to: 31, position: at(31) } as const
  const stream = streamOf(changed('created', '/s/c', 7), gap, caughtUp(32))
  t.strictSame(await list(fake, stream), { tree: { '/s': 5, '/s/b': 30 }, zxid: 32 })
  t.equal(fake.rounds, 2)
})

t.test('RECIPE-106 a listing ends with its stream, and at its bound', async (t) => {
  t.equal(await list(new FakeClient([{ '/s': 5 }]), streamOf('end')), null)
  const fake = new FakeClient([{ '/s': 5, '/s/a': 6, '/s/b': 7 }])
  t.ok((await rejection(list(fake, streamOf(), 2))) instanceof TooLargeError)
})

t.test(
  'RECIPE-115 a listing asks once for many znodes, for fewer when they are large',
  async (t) => {
    const paths = ['/s', ...Array.from({ length: 1_000 }, (_, i) => `/s/${i}`)]
    const tree = Object.fromEntries(paths.map((path) => [path, 1]))
    const small = new FakeClient([tree])
    t.strictSame((await list(small, streamOf(caughtUp(2)), 10_000))?.tree, tree)
    t.ok(small.requests <= 25, `${small.requests} requests`)
    const large = new FakeClient([tree], 8)
    t.strictSame((await list(large, streamOf(caughtUp(2)), 10_000))?.tree, tree)
    t.ok(large.requests <= 600, `${large.requests} requests`)
  },
)
