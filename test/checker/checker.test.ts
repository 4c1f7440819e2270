import t from 'tap'
import { checkExhaustively } from './exhaustive.js'
import { disagreements, mistakesOnLies } from './self-test.js'
import { type Check, checkLinearizable } from './wgl.js'
import { znodeModel, type ZnodeOp } from './znode-model.js'

t.test('SIM-3 a true history is found linearizable, and a lie in it is always seen', async (t) => {
  t.strictSame(mistakesOnLies(checkLinearizable, 40), [])
})

t.test('SIM-3 the checker agrees with trying all orders', async (t) => {
  const { found, illegal } = disagreements(checkLinearizable, 5_000)
  t.strictSame(found, [])
  t.ok(illegal > 1_000 && illegal < 4_000, `${illegal} of them are illegal`)
})

t.test('SIM-3 a checker that accepts or refuses everything is seen', async (t) => {
  const credulous: Check = () => 'linearizable'
  const suspicious: Check = () => 'illegal'
  const tired: Check = () => 'unknown'
  for (const broken of [credulous, suspicious, tired]) {
    t.ok(mistakesOnLies(broken, 1).length > 0)
    t.ok(disagreements(broken, 50).found.length > 0)
  }
})

t.test('SIM-3 a search that takes too long says that it does not know', async (t) => {
  const ops = [read(1, 2, '!noNode'), read(3, 4, '!noNode')]
  t.equal(checkLinearizable(znodeModel, ops), 'linearizable')
  t.equal(checkLinearizable(znodeModel, ops, 1), 'unknown')
})

t.test('SIM-3 what nobody knows may have happened, or not', async (t) => {
  const input = { op: 'create', path: '/a', value: 'x', isSequential: false, owner: 0 } as const
  const create: ZnodeOp = { input, answer: null, calledAt: 1, returnedAt: Infinity }
  for (const check of [checkLinearizable, checkExhaustively]) {
    t.equal(check(znodeModel, [create, read(2, 3, '!noNode')]), 'linearizable')
    t.equal(check(znodeModel, [create, read(2, 3, 'x v0 c0 n0')]), 'linearizable')
    const backwards = [create, read(2, 3, 'x v0 c0 n0'), read(4, 5, '!noNode')]
    t.equal(check(znodeModel, backwards), 'illegal')
  }
})

const read = (calledAt: number, returnedAt: number, answer: string): ZnodeOp => ({
  input: { op: 'getData', path: '/a' },
  answer,
  calledAt,
  returnedAt,
})
