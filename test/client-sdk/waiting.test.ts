import { getEventListeners } from 'node:events'
import t from 'tap'
import { answer, fakeStat } from '../support/fake-server.js'
import { isOp, opsOf, rejection, startPair } from './client-kit.js'

const stat = fakeStat({ version: 3, czxid: 41 })
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value)

t.test('SDK-42 an abort or a timeout rejects with its reason; the client goes on', async (t) => {
  const { server, client } = await startPair(t)
  const controller = new AbortController()
  const waiting = client.get('/a', { signal: controller.signal })
  await server.seen(isOp('getData'))
  const reason = new Error('changed my mind')
  controller.abort(reason)
  t.equal(await rejection(waiting), reason)
  t.equal(await rejection(client.get('/a', { signal: controller.signal })), reason)
  t.match(await rejection(client.get('/a', { timeoutMs: 1 })), { name: 'TimeoutError' })
  t.match(await rejection(client.get('/a', { signal: AbortSignal.timeout(1) })), {
    name: 'TimeoutError',
  })
})

t.test('SDK-62 a signal may be shared by any number of calls', async (t) => {
  const { server, client } = await startPair(t)
  const controller = new AbortController()
  const { signal } = controller
  const calls = Array.from({ length: 50 }, () => client.get('/a', { signal }))
  const stream = client.watch('/a', { signal }).next()
  t.equal(getEventListeners(signal, 'abort').length, 1, 'Node warns past ten')
  await server.seen(isOp('watch'))
  const reason = new Error('all of them')
  controller.abort(reason)
  const rejections = await Promise.all([...calls, stream].map(rejection))
  t.strictSame(new Set(rejections), new Set([reason]))
  t.equal(getEventListeners(signal, 'abort').length, 0)
  const other = new AbortController()
  server.answerWith((op) => (op.op === 'getData' ? answer(op.op, { data: null, stat }) : null))
  await Promise.all([1, 2, 3].map(() => client.get('/a', { signal: other.signal })))
  t.equal(getEventListeners(other.signal, 'abort').length, 0, 'nothing is left on it')
})

t.test('SDK-62 an operation of many requests is waited for as one', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) => {
    if (op.op === 'countDescendants') {
      return answer(op.op, { count: 1, cursor: op.cursor === null ? bytesOf('c') : op.cursor })
    }
    if (op.op === 'getEphemerals') return answer(op.op, { paths: [], cursor: bytesOf('c') })
    return op.op === 'deleteRecursive' ? answer(op.op, { deleted: 1, done: false }) : null
  })
  const endless = [
    client.countDescendants('/a', { timeoutMs: 50, consistency: 'linearizable' }),
    client.getEphemerals('/', { timeoutMs: 50 }),
    client.deleteRecursive('/a', { timeoutMs: 50 }),
  ]
  for (const each of endless) t.match(await rejection(each), { name: 'TimeoutError' })
  const barriers = opsOf(server).filter((op) => 'linearizable' in op && op.linearizable)
  t.equal(barriers.length, 1, 'one barrier is enough')
})

t.test(
  'SDK-67 ten thousand calls wait while no server is there, and keep their order',
  async (t) => {
    const { server, client } = await startPair(t)
    server.answerWith((op) => (op.op === 'setData' ? answer('setData', { stat }) : null))
    const suspended = new Promise((resolve) => client.on('state', resolve))
    server.cut()
    t.match(await suspended, { state: 'suspended' })
    const order: number[] = []
    const calls = Array.from({ length: 10_000 }, async (_, i) => {
      await client.set(`/${i}`, null)
      order.push(i)
    })
    await Promise.all(calls)
    t.strictSame(order, [...order.keys()])
    const paths = opsOf(server).map((op) => ('path' in op ? op.path : ''))
    t.strictSame(
      paths,
      order.map(String).map((i) => `/${i}`),
      'each once',
    )
  },
)
