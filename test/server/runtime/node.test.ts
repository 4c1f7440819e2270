import type { Ticket } from '#server/core/input.js'
import { Node, type NodePorts } from '#server/runtime/node.js'
import { setImmediate as turn } from 'node:timers/promises'
import { limits, zxidZero } from '@conclave/protocol'
import { Recovery } from '#server/core/recovery.js'
import { Replica } from '#server/core/replica.js'
import { pino } from 'pino'
import t from 'tap'
import { standStillUntil } from '../../client-sdk/recipes/recipe-kit.js'
import { noMetrics } from '../../support/no-metrics.js'
import { defaultConfig, ReplicaKit } from '../../support/replica-kit.js'

/** A node around a replica that leads, whose effects are counted and not carried out. */
const countingNode = (onFatal: (error: Error) => void): { node: Node; effects: () => number } => {
  const { replica } = new ReplicaKit()
  let effects = 0
  const drain = replica.drain.bind(replica)
  replica.drain = () => {
    effects += 1
    drain()
    return []
  }
  const log = pino({ level: 'silent' })
  const ports = { log, metrics: noMetrics, onServing() {}, onFatal } as unknown as NodePorts
  return { node: new Node(replica, ports), effects: () => effects }
}

t.test('SERVER-12 after a broken invariant nothing goes in or out any more', async (t) => {
  const failures: Error[] = []
  const { node, effects } = countingNode((error) => failures.push(error))
  await turn()
  t.equal(effects(), 1, 'the first tick is drained')
  node.input({ input: 'persisted', ticket: 1_000_000_000 as Ticket })
  t.match(failures, [{ name: 'InvariantError' }])
  node.input({ input: 'diskSpace', ok: true })
  await turn()
  t.equal(effects(), 1)
  t.equal(failures.length, 1)
})

t.test('SERVER-13 that clients are served is told once, after all that it takes', async (t) => {
  const recovered = new Recovery(defaultConfig).finish({
    hardState: null,
    epochs: [],
    commit: zxidZero,
  })
  const replica = new Replica(defaultConfig, recovered)
  const held: (() => void)[] = []
  const storage = { persist: (_: unknown, done: () => void) => void held.push(done) }
  let told = 0
  const onServing = (): void => {
    t.match(replica.status, { role: 'leading', ensembleId: defaultConfig.newEnsembleId })
    told += 1
  }
  const log = pino({ level: 'silent' })
  const node = new Node(replica, {
    storage,
    log,
    metrics: noMetrics,
    onServing,
  } as unknown as NodePorts)
  t.teardown(() => node.stop())
  while (told === 0) {
    for (const done of held.splice(0)) done()
    await turn()
  }
  for (let i = 0; i < 10; i++) await turn()
  t.equal(told, 1)
})

t.test('SERVER-24 after a stall the time is told before anything else', async (t) => {
  const { replica } = new ReplicaKit()
  const steps: string[] = []
  replica.step = ({ input }) => void steps.push(input)
  replica.drain = () => []
  const log = pino({ level: 'silent' })
  const ports = { log, metrics: noMetrics, onServing() {} } as unknown as NodePorts
  const node = new Node(replica, ports)
  t.teardown(() => node.stop())
  await turn()
  steps.length = 0
  const endMs = performance.now() + 3 * limits.tickMs
  standStillUntil(() => performance.now() > endMs)
  node.input({ input: 'diskSpace', ok: true })
  node.input({ input: 'diskSpace', ok: true })
  t.strictSame(steps, ['tick', 'diskSpace', 'diskSpace'])
})
