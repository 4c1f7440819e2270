import type { Random } from '../sim/random.js'
import { type Input, perform, type Subtree, znodeModel, type ZnodeOp } from './znode-model.js'

export interface HistoryShape {
  readonly ops: number
  readonly processes: number
  /** What they work on: a parent and its children. */
  readonly paths: readonly string[]
  /** The chance that a write changes nothing, or is done twice: a history that is a lie. */
  readonly lost?: number
  readonly twice?: number
}

/** A finished operation, with the moment at which it took effect. */
export interface MadeOp extends ZnodeOp {
  readonly answer: string
  readonly madeAt: number
  readonly wasLost: boolean
  readonly wasTwice: boolean
}

/** What processes see that ask one object concurrently: each operation takes effect in between. */
export const makeHistory = (random: Random, shape: HistoryShape): readonly MadeOp[] => {
  const made: MadeOp[] = []
  const running = new Map<number, Partial<MadeOp> & { input: Input; calledAt: number }>()
  let state: Subtree = znodeModel.initial
  let called = 0
  for (let now = 1; made.length < shape.ops; now++) {
    const process = random.below(shape.processes)
    const op = running.get(process)
    if (op === undefined) {
      if (called === shape.ops) continue
      called += 1
      running.set(process, { input: drawInput(random, shape.paths, called), calledAt: now })
    } else if (op.answer === undefined) {
      const done = perform(state, op.input)
      const isWrite = done.state !== state
      const wasLost = isWrite && random.chance(shape.lost ?? 0)
      const wasTwice = isWrite && !wasLost && random.chance(shape.twice ?? 0)
      if (!wasLost) state = wasTwice ? perform(done.state, op.input).state : done.state
      running.set(process, { ...op, answer: done.answer, madeAt: now, wasLost, wasTwice })
    } else {
      running.delete(process)
      made.push({ ...(op as MadeOp), returnedAt: now })
    }
  }
  return made
}

const drawInput = (random: Random, paths: readonly string[], number: number): Input => {
  const path = random.pick(paths)
  const value = `value-${number}`
  const version = random.chance(0.3) ? random.below(4) : -1
  const dice = random.fraction()
  if (dice < 0.12) return { op: 'create', path, value, owner: 0, isSequential: false }
  if (dice < 0.17) return { op: 'create', path, value, owner: 7, isSequential: false }
  if (dice < 0.22)
    return { op: 'create', path: `${paths[0]}/s-`, value, owner: 0, isSequential: true }
  if (dice < 0.52) return { op: 'setData', path, value, version }
  if (dice < 0.57) return { op: 'delete', path, version }
  if (dice < 0.59) return { op: 'closeSession', owner: 7 }
  if (dice < 0.67) {
    const other = random.pick(paths)
    return {
      op: 'multi',
      inputs: [
        { op: 'check', path: other, version },
        { op: 'setData', path, value, version: -1 },
      ],
    }
  }
  if (dice < 0.9) return { op: 'getData', path }
  return { op: random.pick(['exists', 'getChildren']), path }
}
