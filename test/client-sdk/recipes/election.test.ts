import { FencedError, SessionExpiredError } from '#client/index.js'
import { Election, type Leader } from '#client/recipes/index.js'
import t from 'tap'
import { startProxy } from '../../support/tcp-proxy.js'
import { rejection } from '../client-kit.js'
import { connectTo, startReal } from '../real-kit.js'
import { abortOf, deferred, namesAt, untilNames } from './recipe-kit.js'

t.test('RECIPE-13 one leads until its function settles, then the next', async (t) => {
  const { client } = await startReal(t)
  await client.create('/data')
  const election = new Election(client, '/leader', { id: 'a' })
  const done = deferred<string>()
  const leading = deferred()
  const tokens: number[] = []
  const first = election.lead(async ({ token, guard, signal }) => {
    tokens.push(token)
    await client.transaction().add(guard).set('/data', null).commit()
    leading.resolve()
    const said = await done.promise
    t.notOk(signal.aborted)
    return said
  })
  await leading.promise
  const second = election.lead(({ token, isLeader }) => {
    tokens.push(token)
    return isLeader
  })
  await untilNames(client, '/leader', (names) => names.length === 2)
  t.match(await election.candidates(), [{ isHolder: true, id: 'a' }, { isHolder: false }])
  t.equal(tokens.length, 1)
  done.resolve('well done')
  t.equal(await first, 'well done')
  t.equal(await second, true)
  const [one = 0, two = 0] = tokens
  t.ok(two > one)
  t.equal(await election.leader(), null)
  const failed = election.lead(() => {
    throw new Error('no leader')
  })
  t.match(await rejection(failed), { message: 'no leader' })
  t.strictSame(await namesAt(client, '/leader'), [])
})

t.test('RECIPE-13 who resigns, or whose signal aborts, leads no more', async (t) => {
  const { client } = await startReal(t)
  const election = new Election(client, '/leader')
  const stale = await election.lead(async (leadership) => {
    const { signal, guard } = leadership
    leadership.resign()
    t.match(signal.reason, { name: 'AbortError' })
    t.equal((await namesAt(client, '/leader')).length, 1, 'nobody else yet')
    return guard
  })
  const write = client.transaction().add(stale).create('/stale').commit()
  t.ok((await rejection(write)) instanceof FencedError)
  const over = new AbortController()
  const reason = new Error('enough')
  const leading = election.lead(({ signal }) => abortOf(signal), { signal: over.signal })
  await untilNames(client, '/leader', (names) => names.length === 1)
  const waiting = rejection(election.lead(() => 'never', { signal: over.signal }))
  await untilNames(client, '/leader', (names) => names.length === 2)
  over.abort(reason)
  t.equal(await leading, reason)
  t.equal(await waiting, reason)
  t.match(await rejection(election.lead(() => 1, { signal: over.signal })), reason)
  await untilNames(client, '/leader', (names) => names.length === 0)
})

t.test('RECIPE-3 RECIPE-13 a leader is aborted before the next is elected', async (t) => {
  const { server, client: other } = await startReal(t, { sessionTimeoutMsMin: 1_000 })
  const proxy = await startProxy(t, server.clientPort)
  const client = await connectTo(t, proxy.address, { sessionTimeoutMs: 1_000 })
  const order: string[] = []
  const parted = deferred()
  const first = new Election(client, '/leader').lead(async ({ signal, guard }) => {
    parted.resolve()
    order.push(String(((await abortOf(signal)) as Error).name))
    return guard
  })
  await parted.promise
  const second = new Election(other, '/leader').lead(() => order.push('elected'))
  await untilNames(other, '/leader', (names) => names.length === 2)
  proxy.part()
  await second
  t.strictSame(order, ['SessionExpiredError', 'elected'])
  proxy.heal()
  const stale = client
    .transaction()
    .add(await first)
    .create('/stale')
    .commit()
  t.ok((await rejection(stale)) instanceof SessionExpiredError)
  const late = rejection(new Election(client, '/leader').lead(() => 'never'))
  t.ok((await late) instanceof SessionExpiredError)
})

t.test('RECIPE-4 RECIPE-13 who is deposed by an operator is told', async (t) => {
  const { client } = await startReal(t)
  const election = new Election(client, '/leader')
  const leading = election.lead(({ signal }) => abortOf(signal))
  const [name = ''] = await untilNames(client, '/leader', (names) => names.length === 1)
  await client.delete(`/leader/${name}`)
  t.ok((await leading) instanceof FencedError)
})

t.test('RECIPE-14 observers see each leader and its data, and when there is none', async (t) => {
  const { server, client } = await startReal(t)
  const seen: (Leader<number> | null)[] = []
  const over = new AbortController()
  const observer = new Election<number>(client, '/leader').observe({ signal: over.signal })
  const next = async (): Promise<Leader<number> | null> => {
    const { value } = await observer.next()
    seen.push(value ?? null)
    return value ?? null
  }
  t.equal(await next(), null)
  for (const data of [1, 2]) {
    const one = new Election(await connectTo(t, server.url), '/leader', { id: `db-${data}`, data })
    const done = deferred()
    const leading = one.lead(() => done.promise)
    t.match(await next(), { id: `db-${data}`, data })
    done.resolve()
    await leading
    t.equal(await next(), null)
  }
  t.ok((seen[3]?.token ?? 0) > (seen[1]?.token ?? 0))
  const waiting = rejection(observer.next())
  over.abort(new Error('enough'))
  t.match(await waiting, { message: 'enough' })
  const quiet = new Election(client, '/leader').observe()
  await quiet.next()
  const ended = quiet.next()
  await client.close()
  t.strictSame(await ended, { done: true, value: undefined })
})
