import {
  BadArgumentsError,
  type Client,
  compareSequential,
  ConclaveError,
  connect,
  json,
  type Listing,
  parseConnectString,
  ref,
  sequenceOf,
  text,
  type WatchStream,
} from '#client/index.js'
import { failure } from '@conclave/protocol'
import fc from 'fast-check'
import t from 'tap'
import { answer, fakeStat, startFakeServer } from '../support/fake-server.js'
import { isOp, opsOf, rejection, startPair } from './client-kit.js'

/** As JavaScript calls them: with anything. */
type Anything = (...values: readonly unknown[]) => unknown
type Loose<T> = { readonly [K in keyof T]: Anything }

const loose = <T>(target: T): Loose<T> => target as Loose<T>

/** Every public method that waits: what is wrong is a rejection. */
const methodsOf = (client: Client, address: string): Readonly<Record<string, Anything>> => {
  const untyped = loose(client)
  const bound = (name: keyof Client): Anything => {
    const method = untyped[name].bind(client)
    return (...values) => method(...values)
  }
  return {
    create: bound('create'),
    get: bound('get'),
    set: bound('set'),
    delete: bound('delete'),
    exists: bound('exists'),
    list: (...values) => (untyped.list(...values) as Listing<false>).toArray(),
    getAcl: bound('getAcl'),
    setAcl: bound('setAcl'),
    check: bound('check'),
    multiRead: bound('multiRead'),
    watch: (...values) => (untyped.watch(...values) as WatchStream).next(),
    removeWatches: bound('removeWatches'),
    sync: bound('sync'),
    getEphemerals: bound('getEphemerals'),
    countDescendants: bound('countDescendants'),
    deleteRecursive: bound('deleteRecursive'),
    addAuth: bound('addAuth'),
    whoAmI: bound('whoAmI'),
    commit: (...values) => loose(client.transaction().check('/a')).commit(...values),
    // What is a string might be the name of a server somewhere.
    connect: (value, options) =>
      loose({ connect }).connect(typeof value === 'string' ? '' : value, options),
    connectTo: async (options) => {
      const other = (await loose({ connect }).connect(address, options)) as Client
      await other.close()
    },
  }
}

/** Those that throw at once, as they say. */
const buildersOf = (client: Client): Readonly<Record<string, Anything>> => {
  const start = () => loose(client.transaction())
  return {
    on: loose(client).on,
    check: (...values) => start().check(...values),
    create: (...values) => start().create(...values),
    set: (...values) => start().set(...values),
    delete: (...values) => start().delete(...values),
    setAcl: (...values) => start().setAcl(...values),
    add: (...values) => start().add(...values),
    if: (...values) => start().if(...values),
    ref: (...values) => loose({ ref }).ref(...values),
    parseConnectString: (value) => loose({ parseConnectString }).parseConnectString(value),
    sequenceOf: (...values) => loose({ sequenceOf }).sequenceOf(...values),
    compareSequential: (...values) => loose({ compareSequential }).compareSequential(...values),
  }
}

const optionNames = [
  'as',
  'acl',
  'bufferEvents',
  'consistency',
  'detail',
  'from',
  'kind',
  'pageSize',
  'recursive',
  'signal',
  'timeoutMs',
  'ttlMs',
  'version',
  'watch',
  'withStat',
  'czxid',
  'path',
  'get',
  'list',
  'exists',
  'scheme',
  'user',
  'password',
  'auth',
  'sessionTimeoutMs',
  'connectTimeoutMs',
]

const absurd = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    true,
    false,
    0,
    -0,
    -1,
    1.5,
    NaN,
    Infinity,
    2 ** 53,
    10n,
    '',
    '/',
    '/a',
    'a',
    '/a/',
    '/a/../b',
    '\ud800',
    Symbol('s'),
    [],
    {},
    [[]],
    [null],
    [undefined],
    () => 1,
    Object.create(null),
    new Date(NaN),
    new Uint8Array(3),
    new Map(),
    /x/,
    json,
    text,
    ref(0),
    Promise.resolve(1),
    new Proxy({}, {}),
    Number.MAX_SAFE_INTEGER,
  ),
  fc.dictionary(fc.constantFrom(...optionNames), fc.anything(), { maxKeys: 3 }),
  fc.anything({ withNullPrototype: true, withTypedArray: true, withSparseArray: true }),
)

const settled = (value: unknown): Promise<unknown> =>
  Promise.resolve(value).then(
    () => null,
    (error: unknown) => error,
  )

t.test('SDK-69 whatever is passed, a method rejects with an error of its own', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith(() => ({ failure: failure('noNode') }))
  const other = await startFakeServer()
  t.teardown(() => other.close())
  const methods = methodsOf(client, other.address)
  const run = async (name: string, values: readonly unknown[]): Promise<void> => {
    const error = await settled(methods[name]?.(...values))
    const isGood =
      error instanceof ConclaveError || (error as Error | null)?.name === 'TimeoutError'
    if (error !== null && !isGood) throw error
  }
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(methods)),
      fc.array(absurd, { maxLength: 3 }),
      run,
    ),
    { numRuns: 3_000, seed: 1 },
  )
  const builders = buildersOf(client)
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(builders)),
      fc.array(absurd, { maxLength: 3 }),
      (name, values) => {
        try {
          builders[name]?.(...values)
        } catch (error) {
          if (!(error instanceof ConclaveError)) throw error
        }
      },
    ),
    { numRuns: 3_000, seed: 1 },
  )
  t.equal(client.state, 'connected', 'and the client goes on')
})

t.test('SDK-69 what makes no sense is refused with what to do, and never sent', async (t) => {
  const { server, client } = await startPair(t)
  const untyped = loose(client)
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [untyped.get('/a', null), /an object with any option of: signal, timeoutMs, consistency/],
    [untyped.get('/a', []), /an object with/],
    [untyped.get('/a', { versoin: 1 }), /there is no option versoin; there are signal, timeoutMs/],
    [untyped.set('/a', null, { versoin: 1 }), /versoin; there are version, signal, timeoutMs, as/],
    [untyped.get(null), /a path is a string/],
    [untyped.get('/a', { watch: 1 }), /watch is true or false/],
    [untyped.get('/a', { as: null }), /as is a codec/],
    [untyped.get('/a', { as: { encode: 1, decode: 2 } }), /as is a codec/],
    [untyped.get('/a', { consistency: 'strong' }), /consistency is one of 'local', 'linearizable'/],
    [untyped.get('/a', { timeoutMs: Number.NaN }), /timeoutMs is a number of ms from 0 to/],
    [untyped.get('/a', { timeoutMs: Infinity }), /timeoutMs/],
    [untyped.get('/a', { signal: {} }), /signal is an AbortSignal/],
    [untyped.set('/a'), /null for none/],
    [untyped.set('/a', undefined, { as: json }), /to store no data pass null and leave out `as`/],
    [untyped.create('/a', undefined, { as: json }), /to store no data/],
    [untyped.create('/a', null, { withStat: 'yes' }), /withStat is true or false/],
    [untyped.create('/a', null, { acl: null }), /acl is a list/],
    [untyped.create('/a', null, { kind: 'ttl', ttlMs: 0 }), /ttlMs is a whole number of ms from 1/],
    [untyped.setAcl('/a', null), /wrong type/],
    [untyped.delete('/a', { version: Number.NaN }), /version is a whole number/],
    [untyped.removeWatches('/a', { kind: 'both' }), /kind is one of/],
    [untyped.multiRead(null), /a list of reads/],
    [untyped.multiRead([null]), /an object with any field of a read/],
    [untyped.multiRead([{}]), /a read is one of/],
    [untyped.multiRead([{ get: '/a', exists: '/b' }]), /a read is one of/],
    [untyped.multiRead([{ exists: '/b', as: json }]), /a read is one of/],
    [untyped.addAuth(null), /auth is \{ scheme, user, password \}/],
    [untyped.addAuth({ scheme: 'digest', user: 'a:b', password: 'p' }), /auth.user has no ':'/],
    [untyped.whoAmI(null), /an object with/],
    [client.list('/a', { pageSize: 0 }).toArray(), /pageSize is a whole number from 1 to 2000/],
    [client.watch('/a', { bufferEvents: Number.NaN }).next(), /bufferEvents is a whole number/],
    [client.watch('/a', { signal: 1 as never }).next(), /signal is an AbortSignal/],
    [untyped.close({ timeoutMs: Number.NaN }), /timeoutMs/],
    [untyped.close(null), /an object with/],
    [loose(client.transaction().check('/a')).commit({ timeout: 1 }), /no option timeout;/],
  ]
  for (const [promise, message] of cases) {
    const error = await rejection(promise as Promise<unknown>)
    t.ok(error instanceof BadArgumentsError, message.source)
    t.match(error, { message, outcome: 'notExecuted' })
  }
  t.strictSame(opsOf(server), [])
  t.equal(client.state, 'connected', 'nor was it closed')
})

t.test('SDK-69 a builder refuses at the line that is wrong', async (t) => {
  const { client } = await startPair(t)
  const start = () => loose(client.transaction())
  const cases: readonly (readonly [Anything, RegExp])[] = [
    [() => loose(client).on('close', () => {}), /the one event is 'state'/],
    [() => loose(client).on('state', 'f'), /a function/],
    [() => start().set('/a'), /null for none/],
    [() => start().setAcl('/a', null), /a list of/],
    [() => start().delete('/a', { versoin: 1 }), /versoin/],
    [() => start().add({ path: '/a' }), /a guard is/],
    [() => start().if(null, () => 1), /conditions are a list/],
    [() => start().if([null], () => 1), /a condition/],
    [() => start().if([{ path: '/a' }], () => 1), /says what must hold/],
    [() => start().if([{ path: '/a', exist: true }], () => 1), /no field of a condition exist;/],
    [() => start().if([], () => undefined), /returns what it is given/],
    [() => start().if([], () => client.transaction()), /returns what it is given/],
    [() => loose({ ref }).ref(-1), /the index of a create/],
    [
      () => loose({ compareSequential }).compareSequential({ name: 'a' }, 'b'),
      /a name is a string/,
    ],
  ]
  for (const [run, message] of cases) t.throws(run, { code: 'badArguments', message })
})

t.test('SDK-60 a codec is synchronous, gives bytes, and may use its buffers again', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) => {
    if (op.op === 'getData') return answer('getData', { data: text.encode('1'), stat: fakeStat() })
    return op.op === 'setData' ? answer('setData', { stat: fakeStat() }) : null
  })
  const decode = (data: Uint8Array): unknown => data
  const late: readonly unknown[] = [
    { encode: () => Promise.resolve(Uint8Array.of(1)), decode },
    { encode: () => Promise.reject(new Error('nobody may miss this')), decode },
    { encode: () => 'text', decode },
    { encode: () => null, decode },
  ]
  for (const as of late) {
    const error = await rejection(loose(client).set('/a', 1, { as }) as Promise<unknown>)
    t.match(error, { code: 'badArguments', message: /gave a promise|gives a Uint8Array, not/ })
  }
  t.strictSame(opsOf(server), [])
  const encode = (): Uint8Array => Uint8Array.of()
  const readers: readonly unknown[] = [
    { encode, decode: async () => 1 },
    { encode, decode: () => Promise.reject(new Error('nor this')) },
    { parse: async (value: unknown) => value },
    { '~standard': { validate: async (value: unknown) => ({ value }) } },
  ]
  for (const as of readers) {
    const error = await rejection(loose(client).get('/a', { as }) as Promise<unknown>)
    t.match(error, { code: 'badArguments', message: /gave a promise/ })
  }
})

t.test('SDK-60 what is passed is what is sent, whatever becomes of it', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) => (op.op === 'setData' ? answer('setData', { stat: fakeStat() }) : null))
  const scratch = new Uint8Array(1)
  const codec = {
    encode(value: number): Uint8Array {
      scratch[0] = value
      return scratch
    },
    decode: (data: Uint8Array): number => data[0] ?? 0,
  }
  const bytes = Uint8Array.of(3)
  const value = Uint8Array.of(4)
  const acl = [{ scheme: 'world', id: 'anyone', permissions: 1 }]
  const calls = [
    client.set('/a', 1, { as: codec }),
    client.set('/a', 2, { as: codec }),
    client.set('/a', bytes),
    client.setAcl('/a', acl as never, { timeoutMs: 1_000 }),
    client
      .transaction()
      .if([{ path: '/a', value }], (t) => t)
      .commit({ timeoutMs: 1_000 }),
  ]
  bytes[0] = 9
  value[0] = 9
  acl.length = 0
  await server.seen(isOp('multi'))
  const sent = opsOf(server).map((op) => {
    if (op.op === 'setData') return op.data?.[0]
    if (op.op === 'setAcl') return op.acl.length
    const [compare] = op.op === 'multi' ? op.compares : []
    return compare?.compare === 'value' ? compare.equals?.[0] : null
  })
  t.strictSame(sent, [1, 2, 3, 1, 4])
  await client.close({ timeoutMs: 0 })
  await Promise.allSettled(calls)
})
