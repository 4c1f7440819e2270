import t from 'tap'
import fc from 'fast-check'
import { blockRows, ChildList } from '#server/core/tree/child-list.js'
import { chunkRows, type Column, numbers, things, words } from '#server/core/tree/columns.js'
import { DataSlab, slotBytesMax, slotSizes } from '#server/core/tree/data-slab.js'
import { PathIndex } from '#server/core/tree/path-index.js'
import { pageBytes, SizeClass } from '#server/core/tree/size-class.js'

const max = Number.MAX_SAFE_INTEGER

t.test('ZNODE-22 a column gives back every number that the protocol carries', async (t) => {
  const column = numbers()
  const values = [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52 + 1, max - 1, max]
  for (const [i, value] of values.entries()) column.set(i * (chunkRows - 1), value)
  for (const [i, value] of values.entries()) t.equal(column.get(i * (chunkRows - 1)), value)
  const narrow: readonly (readonly [Column<number>, number])[] = [
    [words(), -(2 ** 31)],
    [words(), 2 ** 31 - 1],
  ]
  for (const [each, value] of narrow) {
    each.set(5, value)
    t.equal(each.get(5), value)
  }
})

t.test('ZNODE-22 a row that was never set is empty, whatever its neighbours hold', async (t) => {
  const [column, names] = [numbers(), things<string>()]
  t.equal(column.get(3 * chunkRows), 0)
  column.set(3 * chunkRows, 7)
  names.set(3 * chunkRows, 'a')
  for (const row of [0, 2 * chunkRows, 3 * chunkRows - 1, 3 * chunkRows + 1, 9 * chunkRows]) {
    t.equal(column.get(row), 0)
    t.equal(names.get(row), null)
  }
  column.set(3 * chunkRows, 0)
  names.set(3 * chunkRows, null)
  t.equal(column.get(3 * chunkRows), 0)
  t.equal(names.get(3 * chunkRows), null)
})

t.test('ZNODE-22 each row has its own data, whatever is set beside it', async (t) => {
  const length = fc.oneof(
    fc.constantFrom(0, 1, 15, 16, 17, 100, slotBytesMax, slotBytesMax + 1),
    fc.nat(slotBytesMax + 500),
  )
  const steps = fc.array(fc.record({ row: fc.nat(40), length, fill: fc.nat(255) }), {
    minLength: 50,
    maxLength: 300,
  })
  const property = fc.property(steps, (all) => {
    const slab = new DataSlab()
    const model = new Map<number, Uint8Array>()
    const held: (readonly [Uint8Array, string])[] = []
    for (const step of all) {
      const data = step.length === 0 ? null : new Uint8Array(step.length).fill(step.fill)
      slab.set(step.row, data)
      if (data === null) model.delete(step.row)
      else model.set(step.row, data)
      const read = slab.get(step.row)
      if (read !== null) held.push([read, read.join()])
      for (let row = 0; row <= 40; row++) {
        const expected = model.get(row)
        if (slab.lengthOf(row) !== (expected?.length ?? 0)) return false
        if (slab.get(row)?.join() !== expected?.join()) return false
      }
    }
    return held.every(([data, text]) => data.join() === text)
  })
  fc.assert(property, { numRuns: 40, seed: 22 })
  t.pass('40 runs')
})

t.test('ZNODE-22 a path leads to its row and to no other, whatever comes and goes', async (t) => {
  const count = 3_000
  // The first two pairs have the same hash; the last names need two bytes for a character.
  const alike = ['costarring', 'liquor', 'declinate', 'macallums', '/\u00e9', '/\u4e2d', '/\uffee']
  const names = [...alike, ...Array.from({ length: count }, (_, i) => `/a/b${i % 7}/n${i}`)]
  const property = fc.property(
    fc.array(fc.nat(names.length - 1), { maxLength: 200 }),
    (removed) => {
      const index = new PathIndex()
      for (const [row, name] of names.entries()) index.add(row, name)
      const gone = new Set(removed)
      for (const row of gone) index.remove(row)
      const isRight = (row: number, name: string): boolean =>
        index.rowOf(name) === (gone.has(row) ? undefined : row) &&
        (gone.has(row) || index.pathOf(row) === name)
      if (index.size !== names.length - gone.size) return false
      if (!names.every((name, row) => isRight(row, name))) return false
      for (const row of gone) index.add(row, names[row] ?? '')
      gone.clear()
      return index.size === names.length && names.every((name, row) => isRight(row, name))
    },
  )
  fc.assert(property, { numRuns: 20, seed: 22 })
  t.equal(new PathIndex().rowOf('/'), undefined)
})

t.test('ZNODE-23 what was read stays as it was when its slot is used again', async (t) => {
  const slab = new DataSlab()
  for (const length of [1, 100, slotBytesMax, slotBytesMax + 1, 1_048_576]) {
    slab.set(0, new Uint8Array(length).fill(1))
    const read = slab.get(0)
    slab.set(0, new Uint8Array(length).fill(2))
    slab.set(0, null)
    slab.set(1, new Uint8Array(length).fill(3))
    t.equal(read?.length, length)
    t.ok(
      read?.every((byte) => byte === 1),
      `${length} bytes`,
    )
    slab.set(1, null)
  }
})

t.test('ZNODE-23 what was given stays the own of its giver', async (t) => {
  const slab = new DataSlab()
  const frame = new Uint8Array(10_000).fill(1)
  slab.set(0, frame.subarray(10, 20))
  slab.set(1, frame.subarray(0, slotBytesMax + 1))
  frame.fill(2)
  t.same([...(slab.get(0) ?? [])], Array<number>(10).fill(1))
  t.ok(slab.get(1)?.every((byte) => byte === 1))
  t.equal(slab.get(1)?.buffer.byteLength, slotBytesMax + 1, 'it does not keep the whole frame')
})

t.test('ZNODE-24 the pages of a size are as many as its data needs, and one', async (t) => {
  const slots = pageBytes / 1_024
  const sizeClass = new SizeClass(1_024)
  const slotOf = new Map<number, number>()
  const check = (): void => {
    const needed = Math.ceil(slotOf.size / slots)
    if (sizeClass.pages > needed + 1) t.fail(`${sizeClass.pages} pages for ${slotOf.size} slots`)
    for (const [owner, slot] of slotOf) {
      if (sizeClass.read(slot, 1)[0] !== owner % 251) t.fail(`the data of ${owner} is lost`)
    }
  }
  const take = (owner: number): void => {
    const slot = sizeClass.take(owner)
    slotOf.set(owner, slot)
    sizeClass.write(slot, Uint8Array.of(owner % 251))
  }
  const giveBack = (owner: number): void => {
    const slot = slotOf.get(owner) ?? 0
    slotOf.delete(owner)
    const moved = sizeClass.giveBack(slot)
    if (moved !== null) slotOf.set(moved, slot)
  }
  for (let owner = 0; owner < 10 * slots; owner++) take(owner)
  t.equal(sizeClass.pages, 10)
  check()
  // Every third stays, from all over the pages.
  for (let owner = 0; owner < 10 * slots; owner++) {
    if (owner % 3 !== 0) giveBack(owner)
    if (owner % 50 === 0) check()
  }
  check()
  const pages = sizeClass.pages
  for (let owner = 1; owner < 10 * slots; owner += 3) take(owner)
  check()
  t.ok(sizeClass.pages > pages)
  for (const owner of slotOf.keys()) giveBack(owner)
  t.equal(sizeClass.pages, 1)
})

t.test('ZNODE-24 a slot has at most a quarter more than its data, or 16 bytes', async (t) => {
  for (let length = 1; length <= slotBytesMax; length++) {
    const slot = slotSizes.find((bytes) => bytes >= length) ?? Infinity
    if (slot > Math.max(16, length * 1.25)) t.fail(`${length} bytes in a slot of ${slot}`)
  }
  t.equal(slotSizes.length, 29)
})

const ordinalsAfter = (list: ChildList, ordinal: number): number[] => [...list.after(ordinal)]

t.test('READ-6 a list of children is in the order of ordinals, from any of them', async (t) => {
  // Rows are taken from a free list, so they say nothing about the order.
  const ordinals = new Map([
    [9, 0],
    [4, 2],
    [7, 5],
  ])
  const list = new ChildList((row) => ordinals.get(row) ?? 0)
  t.same(ordinalsAfter(list, -1), [])
  for (const row of [9, 4, 7]) list.add(row)
  t.same(ordinalsAfter(list, -1), [9, 4, 7])
  t.same(ordinalsAfter(list, 0), [4, 7])
  t.same(ordinalsAfter(list, 1), [4, 7])
  t.same(ordinalsAfter(list, 2), [7])
  t.same(ordinalsAfter(list, 5), [])
  list.remove(4)
  t.same(ordinalsAfter(list, -1), [9, 7])
  t.same(ordinalsAfter(list, 1), [7])
  t.equal(list.size, 2)
  list.remove(4)
  t.equal(list.size, 2, 'what is not there is not removed')
})

t.test('READ-6 READ-7 children keep their order and none is lost or doubled', async (t) => {
  const count = 6 * blockRows
  const property = fc.property(fc.integer({ min: 1, max: 1_000 }), fc.boolean(), (step, ascend) => {
    const list = new ChildList((row) => row * 3)
    const left = new Set<number>()
    const rows = Array.from({ length: count }, (_, i) => (ascend ? i : (i * 5_003) % count))
    for (const row of rows) {
      list.add(row)
      left.add(row)
    }
    for (let i = 0; left.size > 0; i++) {
      const row = (i * (2 * step + 1)) % count
      if (!left.delete(row)) {
        const [other] = left
        left.delete(other ?? 0)
        list.remove(other ?? 0)
      } else list.remove(row)
      if (list.size !== left.size) return false
      if (i % 97 !== 0) continue
      const expected = [...left].sort((a, b) => a - b)
      if (ordinalsAfter(list, -1).join() !== expected.join()) return false
      const middle = expected[expected.length >> 1] ?? 0
      const rest = expected.filter((each) => each * 3 > middle * 3 - 1)
      if (ordinalsAfter(list, middle * 3 - 1).join() !== rest.join()) return false
      // A block that is nearly empty joins its neighbour: two of them hold more than half of one.
      if (list.blocks > 4 * Math.ceil(left.size / blockRows) + 1) return false
    }
    return list.blocks === 0
  })
  fc.assert(property, { numRuns: 15, seed: 7 })
  t.pass('15 runs')
})
