import t from 'tap'
import type { Done, LoadConnection } from '#bench/load/connection.js'
import { Generator as LoadGenerator } from '#bench/load/generator.js'
import { Lane } from '#bench/load/lane.js'
import type { Load } from '#bench/load/load.js'

/** Answers in a later turn, with the versions that it is told. */
class FakeConnection implements LoadConnection {
  readonly calls: string[] = []
  inFlightMax = 0
  #inFlight = 0
  readonly #versions: Iterator<number | null>

  constructor(versions: Iterable<number | null>) {
    this.#versions = versions[Symbol.iterator]()
  }

  create(path: string, _value: Buffer, done: Done): void {
    this.#answer(`create ${path}`, () => done(0))
  }

  set(path: string, _value: Buffer, done: Done): void {
    this.#answer(`set ${path}`, () => done(this.#versions.next().value as number | null))
  }

  get(path: string, isLinearizable: boolean, done: Done): void {
    this.#answer(`${isLinearizable ? 'linearizable' : 'local'} ${path}`, () => done(0))
  }

  async watch(): Promise<void> {}

  ping(done: Done): void {
    this.#answer('ping', () => done(0))
  }

  async close(): Promise<void> {}

  #answer(call: string, settle: () => void): void {
    this.calls.push(call)
    this.#inFlight += 1
    this.inFlightMax = Math.max(this.inFlightMax, this.#inFlight)
    setImmediate(() => {
      this.#inFlight -= 1
      settle()
    })
  }
}

const load = (operation: Load['operation'], operations: number): Load => ({
  operation,
  inFlight: 3,
  until: { operations },
  valueBytes: 1,
  perSecond: null,
})

function* counting(): Generator<number> {
  for (let version = 1; ; version++) yield version
}

t.test('BENCH-4 as many are in flight as was asked for, and as many are done', async (t) => {
  const connection = new FakeConnection(counting())
  const lane = new Lane(connection, '/a', (error) => t.fail(error.message))
  const { operations, throttled } = await new LoadGenerator([lane], load('set', 20)).run()
  t.equal(operations, 20)
  t.equal(throttled, 0)
  t.equal(connection.inFlightMax, 3)
  t.equal(connection.calls.filter((call) => call === 'set /a').length, 20)
})

t.test('BENCH-4 a rate is kept to: all that came due is done', async (t) => {
  const connection = new FakeConnection(counting())
  const lane = new Lane(connection, '/a', (error) => t.fail(error.message))
  const rated = { ...load('set', 20), perSecond: 10_000 }
  const { operations, unsent } = await new LoadGenerator([lane], rated).run()
  t.equal(operations, 20)
  t.equal(unsent, 0)
  t.ok(connection.inFlightMax <= 3)
})

t.test('BENCH-4 one write in ten of a mixed load, all others are local reads', async (t) => {
  const connection = new FakeConnection(counting())
  const lane = new Lane(connection, '/a', (error) => t.fail(error.message))
  await new LoadGenerator([lane], load('mixed', 20)).run()
  t.equal(connection.calls.filter((call) => call === 'set /a').length, 2)
  t.equal(connection.calls.filter((call) => call === 'local /a').length, 18)
})

t.test('BENCH-4 what was refused is no operation done', async (t) => {
  const connection = new FakeConnection([1, null, 2, null, 3])
  const lane = new Lane(connection, '/a', (error) => t.fail(error.message))
  const { throttled } = await new LoadGenerator([lane], load('set', 5)).run()
  t.equal(throttled, 2)
})

t.test('BENCH-5 a version that was answered before the write was sent is a fault', async (t) => {
  const faults: string[] = []
  const connection = new FakeConnection([1, 1])
  const lane = new Lane(connection, '/a', ({ message }) => faults.push(message))
  const once = load('set', 1)
  await lane.prepare(1)
  await new Promise((resolve) => lane.call(once, resolve))
  lane.call(once, () => t.fail('it is no answer'))
  await new Promise(setImmediate)
  t.strictSame(faults, ['/a: 1 was answered after 1'])
})
