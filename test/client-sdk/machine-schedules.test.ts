import type { CreateKind, Op } from '@conclave/protocol'
import t from 'tap'
import { create, read, set } from './machine-kit.js'
import { type Made, madeBy, MachineWorld } from './machine-world.js'

const worlds = 400
const actions = 60

const call = (world: MachineWorld, number: number): void => {
  const { random } = world
  const kind: CreateKind = random.chance(0.3) ? 'ephemeral' : 'persistent'
  const ops: readonly Op[] = [
    { ...create(`/f/${kind}-${number}`), kind },
    { ...create(`/f/${kind}-${number}`), kind },
    { ...create('/f/q-'), kind: 'persistentSequential' },
    set('/f'),
    read('/f', random.chance(0.3)),
    { op: 'sync', path: '/' },
  ]
  world.call(ops[random.below(ops.length)] as Op, random.chance(0.6))
}

const act = (world: MachineWorld, number: number): void => {
  const { random, network } = world
  const dice = random.fraction()
  const abortable = world.open.filter(({ isAbortable }) => isAbortable)
  const aWhile = (): number => random.between(100, random.chance(0.05) ? 12_000 : 1_500)
  if (dice < 0.55) call(world, number)
  else if (dice < 0.8) {
    const token = abortable[random.below(abortable.length)]
    if (token !== undefined) world.abort(token)
  } else if (dice < 0.87) network.cut()
  else if (dice < 0.91) network.dark(aWhile())
  else if (dice < 0.93) world.freeze(aWhile())
  else if (dice < 0.95) network.restart()
  // What comes next comes in the same turn, or soon, or late.
  if (random.chance(0.7)) world.run(random.between(0, random.chance(0.1) ? 1_500 : 20))
}

/** What a caller was told must be what is there. */
const checkTold = (world: MachineWorld, tree: ReadonlySet<string>, made: Made): string | null => {
  const [settlement] = made.settlements
  const { op } = made
  if (op.op !== 'create' || settlement === undefined) return null
  const isThere = tree.has(madeBy(made) ?? op.path)
  if (settlement.settled === 'done') {
    const mayBeGone = op.kind === 'ephemeral' && world.isSessionOver
    return isThere || mayBeGone ? null : `${op.path} is not there`
  }
  const isFalse = isThere && settlement.outcome === 'notExecuted'
  return isFalse ? `${op.path} is there, but was not executed` : null
}

const runWorld = (seed: number): MachineWorld => {
  const world = new MachineWorld(seed)
  for (let i = 0; i < actions && !world.isFinal; i++) act(world, i)
  // The network heals: all that is open is answered, and what was aborted is undone.
  world.run(20_000)
  const { faults } = world
  const tree = new Set(world.tree)
  if (world.open.length > 0) faults.push(`${world.open.length} calls are never settled`)
  for (const made of world.made) {
    const fault = checkTold(world, tree, made)
    if (fault !== null) faults.push(fault)
  }
  if (world.isFinal) return world
  const wanted = world.made
    .flatMap((made) => madeBy(made) ?? [])
    .sort()
    .join()
  const there = [...tree].sort().join()
  if (wanted !== there) faults.push(`there is ${there}, not ${wanted}`)
  const timeoutMs = world.random.between(0, 3_000)
  world.close(timeoutMs)
  world.run(timeoutMs + 1)
  if (!world.isFinal) faults.push(`it is ${world.state}, not closed`)
  return world
}

t.test('SDK-64 under any schedule each call is settled once, and truly', async (t) => {
  const ends = new Set<string>()
  for (let seed = 1; seed <= worlds; seed++) {
    const { faults, state, machine, network } = runWorld(seed)
    ends.add(state)
    if (machine.wakeAtMs !== null) faults.push('a timer is left')
    if (network.connections > 0) faults.push('a connection is left')
    if (faults.length > 0) t.strictSame(faults, [], `seed ${seed}`)
  }
  t.strictSame([...ends].sort(), ['closed', 'expired'], 'and every end was seen')
})
