import { Membership } from '#client/recipes/index.js'
import t from 'tap'
import { startTestServer } from '../../support/server-kit.js'
import { connectTo } from '../real-kit.js'
import { CuttingTransport } from './cutting.js'

t.setTimeout(120_000)

const clientCount = 10
const membersOfEach = 100
const loopCount = 3
const memberCount = clientCount * membersOfEach

t.test('RECIPE-137 1,000 members joining cost each member what it does itself', async (t) => {
  const server = await startTestServer(t)
  const crowd = await Promise.all(
    Array.from({ length: clientCount }, async () => {
      const wire = new CuttingTransport()
      const requests: string[] = []
      const client = await wire.connect(server.url, { sessionTimeoutMs: 60_000 })
      wire.armWhen((frame) => {
        if (frame.frame === 'request') requests.push(frame.op.op)
        return false
      }, 'cutAfter')
      t.teardown(() => client.close({ timeoutMs: 1_000 }))
      return { client, requests }
    }),
  )
  const untilEpoch = async (epoch: number): Promise<void> => {
    await Promise.all(
      loops.map(async ({ views }) => {
        for (;;) {
          const { value, done } = await views.next()
          if (done === true) throw new Error('the loop has ended')
          if (value.epoch === epoch) return
        }
      }),
    )
  }
  // Each of so many would follow the views on its own.
  const loops = await Promise.all(
    crowd.slice(0, loopCount).map(async ({ client }, i) => {
      const me = await Membership.join(client, '/cluster', { id: `first-${i}` })
      const views = me.views()
      await views.next()
      return { me, views }
    }),
  )
  for (const { requests } of crowd) requests.length = 0
  const seen = untilEpoch(2 * (loopCount + memberCount))
  await Promise.all(
    crowd.flatMap(({ client }, i) =>
      Array.from({ length: membersOfEach }, (_, j) =>
        Membership.join(client, '/cluster', { id: `db-${i}-${j}` }),
      ),
    ),
  )
  await seen
  await Promise.all(crowd.map(({ client }) => client.whoAmI()))
  for (const { requests } of crowd) {
    const each = requests.length / membersOfEach
    t.ok(each > 4 && each < 16, `${each} requests for each that joined`)
    t.equal(requests.filter((op) => op === 'getChildren' || op === 'multiRead').length, 0)
    requests.length = 0
  }
  const late = await connectTo(t, server.url)
  const last = await Membership.join(late, '/cluster', { id: 'last' })
  await untilEpoch(2 * (loopCount + memberCount + 1))
  for (const { requests } of crowd) t.strictSame(requests, [], 'nobody asks anything')
  t.equal((await last.views().next()).value?.members.size, loopCount + memberCount + 1)
})
