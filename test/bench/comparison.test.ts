import t from 'tap'
import { compare, ratioOf, type Row } from '#bench/compare/comparison.js'
import type { Contender } from '#bench/compare/contender.js'
import { medianSample, type Sample } from '#bench/compare/sample.js'
import { type Baseline, fallenRows } from '#bench/guard/fallen.js'

const perSecond = (...values: readonly number[]): readonly Sample[] =>
  values.map((value) => ({ perSecond: value }))

const p50 = (...values: readonly number[]): readonly Sample[] =>
  values.map((value) => ({ p50Ms: value }))

t.test('BENCH-1 a ratio is to the better peer of its own round', async (t) => {
  const peers = [perSecond(10, 40, 10), perSecond(20, 20, 20)]
  t.strictSame(ratioOf('perSecond', perSecond(40, 40, 60), peers), {
    median: 2,
    min: 1,
    max: 3,
    spread: 1,
  })
})

t.test('BENCH-1 where less is better, the better peer is the one with less', async (t) => {
  const ratio = ratioOf('p50Ms', p50(1, 1, 1), [p50(2, 4, 2), p50(4, 2, 4)])
  t.strictSame(ratio, { median: 0.5, min: 0.5, max: 0.5, spread: 0 })
  t.equal(ratioOf('p50Ms', p50(1), []), null, 'without peers there is none')
})

t.test('BENCH-1 medians are of each measure by itself', async (t) => {
  const samples = [{ p50Ms: 1, rss: 30 }, { p50Ms: 3, rss: 10 }, { p50Ms: 2 }]
  t.strictSame(medianSample(samples), { p50Ms: 2, rss: 20 })
})

const contender = (name: string, isPeer: boolean): Contender =>
  ({ entry: { name, driver: 'raw', isPeer, lacks: [] } }) as unknown as Contender

t.test('BENCH-2 contenders are measured by turns, round after round', async (t) => {
  const turns: string[] = []
  const row: Row = {
    name: 'row',
    by: 'perSecond',
    goal: null,
    prepare: async () => 'how',
    measure: async ({ entry }) => {
      turns.push(entry.name)
      return { perSecond: turns.length }
    },
    clean: async () => undefined,
  }
  const contenders = [contender('own', false), contender('a', true), contender('b', true)]
  const { contenders: standings } = await compare(row, contenders, {
    rounds: 2,
    progress: () => undefined,
  })
  t.strictSame(turns, ['own', 'a', 'b', 'own', 'a', 'b'])
  t.match(standings, [
    { name: 'own', ratio: { min: 1 / 3, max: 4 / 6 } },
    { name: 'a', ratio: null },
    { name: 'b', ratio: null },
  ])
})

t.test('BENCH-2 who has no such thing is left out', async (t) => {
  const row: Row = {
    name: 'row',
    by: 'perSecond',
    goal: null,
    takes: ({ name }) => name !== 'a',
    prepare: async () => 'how',
    measure: async () => ({ perSecond: 1 }),
    clean: async () => undefined,
  }
  const all = [contender('own', false), contender('a', true)]
  const { contenders } = await compare(row, all, { rounds: 1, progress: () => undefined })
  t.match(contenders, [{ name: 'own', ratio: null }])
  t.equal(contenders.length, 1)
})

const baseline = (median: number, spread: number): Baseline => ({
  set: { by: 'perSecond', ratio: { median, spread, min: median, max: median } },
})

t.test('BENCH-3 a row fell when it lost 15 % and three spreads', async (t) => {
  t.match(fallenRows(baseline(4, 0.1), baseline(3, 0.1)), [{ row: 'set', by: 0.25 }])
  t.strictSame(fallenRows(baseline(4, 0.1), baseline(3.5, 0.1)), [], 'less than 15 %')
  t.strictSame(fallenRows(baseline(4, 0.4), baseline(3, 0.1)), [], 'within three spreads then')
  t.strictSame(fallenRows(baseline(4, 0.1), baseline(3, 0.4)), [], 'within three spreads now')
  t.strictSame(fallenRows(baseline(3, 0.1), baseline(4, 0.1)), [], 'it got better')
  t.strictSame(fallenRows(baseline(3, 0.1), {}), [], 'it was not measured')
})

t.test('BENCH-3 where less is better, more is worse', async (t) => {
  const row = (median: number): Baseline => ({
    watch: { by: 'p50Ms', ratio: { median, spread: 0, min: median, max: median } },
  })
  t.match(fallenRows(row(0.5), row(0.75)), [{ row: 'watch', by: 0.5 }])
  t.strictSame(fallenRows(row(0.75), row(0.5)), [])
})
