import { randomInt } from 'node:crypto'
import t from 'tap'
import { check } from '../model/property.js'

t.test('MODEL-1 ten thousand sequences of operations give what the model gives', async (t) => {
  const seed = randomInt(2 ** 31)
  t.comment(`MODEL_SEED=${seed}`)
  const { failure, coverage } = check({ numRuns: 10_000, seed })
  if (failure !== null) t.comment(failure)
  t.ok(failure === null, 'the server agrees with the model')
  t.comment([...coverage].map(([one, times]) => `${times} ${one}`).join('\n'))
  const missed = [...coverage].filter(([, times]) => times === 0)
  t.same(missed, [], 'every case has happened')
})
