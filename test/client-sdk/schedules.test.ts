import { getEventListeners } from 'node:events'
import { connectorFor } from '#client/connect.js'
import { type Client, ConclaveError, json, type WaitOptions } from '#client/index.js'
import t from 'tap'
import type { Random } from '../sim/random.js'
import { VirtualPlace } from '../support/virtual-place.js'

const worlds = 150
const actions = 40

/** One client in a world of its own, and all that it was asked for. */
class World {
  readonly place: VirtualPlace
  readonly random: Random
  readonly faults: string[] = []
  readonly signals = new Set<AbortSignal>()
  /** Calls that are neither resolved nor rejected. */
  open = 0
  #controller = new AbortController()

  constructor(seed: number) {
    this.place = new VirtualPlace(seed)
    this.random = this.place.random
  }

  /** Aborts all that share the present signal; what comes next shares another. */
  abort(): void {
    this.#controller.abort(new Error('enough'))
    this.#controller = new AbortController()
  }

  get wait(): WaitOptions {
    const { signal } = this.#controller
    this.signals.add(signal)
    const timeoutMs = this.random.between(0, this.random.chance(0.5) ? 20 : 3_000)
    return this.random.pick([{}, { signal }, { timeoutMs }, { signal, timeoutMs }])
  }

  watched(what: string, promise: Promise<unknown>): void {
    this.open += 1
    promise
      .catch((error: unknown) => {
        const isGood =
          error instanceof ConclaveError || /enough|no answer/.test((error as Error).message)
        if (!isGood) this.faults.push(`${what}: ${String(error)}`)
      })
      .finally(() => {
        this.open -= 1
      })
  }

  /** What must be left of it in the end: nothing. */
  checkLeft(): void {
    const { timers, network } = this.place
    if (this.open > 0) this.faults.push(`${this.open} calls are never settled`)
    if (timers > 0) this.faults.push(`${timers} timers are left`)
    if (network.connections > 0) this.faults.push(`${network.connections} connections are left`)
    for (const signal of this.signals) {
      const { length } = getEventListeners(signal, 'abort')
      if (length > 0) this.faults.push(`${length} listeners are left`)
    }
  }
}

const ask = (world: World, client: Client, number: number): void => {
  const { random, wait } = world
  const path = `/n${random.below(number + 1)}`
  const asks: readonly (() => Promise<unknown>)[] = [
    () => client.create(`/n${number}`, { number }, { as: json, ...wait }),
    () => client.create(`${path}/c-`, null, { kind: 'ephemeralSequential', ...wait }),
    () => client.get(path, { as: json, watch: true, ...wait }).then(({ changed }) => changed),
    () => client.set(path, { number }, { as: json, ...wait }),
    () => client.list('/', { pageSize: 2, watch: true, ...wait }).toArray(),
    () => client.getEphemerals('/', wait),
    () => client.countDescendants('/', { consistency: 'linearizable', ...wait }),
    () => client.deleteRecursive(path, wait),
    () => client.transaction().create(`/t${number}`).set(path, null).commit(wait),
    () => client.multiRead([{ get: path }, { list: '/' }], wait),
    () => client.addAuth({ scheme: 'digest', user: 'u', password: 'p' }, wait),
    () => follow(client, path, wait),
  ]
  const index = random.below(asks.length)
  world.watched(`ask ${index}`, asks[index]?.() ?? Promise.resolve())
}

const follow = async (client: Client, path: string, { signal }: WaitOptions): Promise<void> => {
  for await (const event of client.watch(path, { signal, bufferEvents: 2 })) {
    if (event.type === 'deleted') return
  }
}

const act = async (world: World, client: Client, number: number): Promise<void> => {
  const { random, place } = world
  const dice = random.fraction()
  if (dice < 0.7) ask(world, client, number)
  else if (dice < 0.82) world.abort()
  else if (dice < 0.9) place.network.cut()
  else if (dice < 0.94) place.network.dark(random.between(100, random.chance(0.1) ? 9_000 : 1_500))
  else if (dice < 0.96) place.network.restart()
  if (random.chance(0.6)) await place.run(random.between(0, random.chance(0.1) ? 1_500 : 10))
}

t.test('SDK-65 whatever is aborted, lost or left, nothing stays behind a client', async (t) => {
  const states = new Set<string>()
  for (let seed = 1; seed <= worlds; seed++) {
    const world = new World(seed)
    const { place, random } = world
    const connecting = connectorFor(place.platform)('a,b', { sessionTimeoutMs: 2_000 })
    await place.run(3_000)
    const client = await connecting
    for (let i = 0; i < actions; i++) await act(world, client, i)
    const closing = client.close({ timeoutMs: random.between(0, 4_000) })
    await place.run(4_100)
    await closing
    states.add(client.state)
    world.checkLeft()
    if (world.faults.length > 0) t.strictSame(world.faults, [], `seed ${seed}`)
  }
  t.strictSame([...states].sort(), ['closed', 'expired'], 'and every end was seen')
})

t.test('SDK-65 a connect that is given up at any moment leaves nothing', async (t) => {
  for (let seed = 1; seed <= worlds; seed++) {
    const world = new World(seed)
    const { place, random } = world
    if (random.chance(0.5)) place.network.dark(random.between(0, 1_000))
    const controller = new AbortController()
    const { signal } = controller
    world.signals.add(signal)
    const auth = { scheme: 'digest', user: 'u', password: 'p' } as const
    const connectTimeoutMs = random.between(1, 2_000) | 0
    const options = { signal, connectTimeoutMs, auth, sessionTimeoutMs: 1_000 }
    const connecting = connectorFor(place.platform)('a,b', options)
    world.watched(
      'connect',
      connecting.then((client) => client.close()),
    )
    await place.run(random.between(0, random.chance(0.5) ? 30 : 2_000))
    controller.abort(new Error('enough'))
    await place.run(7_000)
    world.checkLeft()
    const { sessions } = place.network.kit.replica.status
    if (sessions > 0) world.faults.push(`${sessions} sessions are left`)
    if (world.faults.length > 0) t.strictSame(world.faults, [], `seed ${seed}`)
  }
  t.pass(`${worlds} worlds`)
})
