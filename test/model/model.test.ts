import t from 'tap'
import { rare } from './coverage.js'
import { check } from './property.js'

t.test('MODEL-1 sequences of operations give what the model gives', async (t) => {
  const { failure, coverage } = check({ numRuns: 400, seed: 1 })
  if (failure !== null) t.comment(failure)
  t.ok(failure === null, 'the server agrees with the model')
  const missed = [...coverage].filter(([one, times]) => times === 0 && !rare.includes(one))
  t.same(missed, [], 'every case has happened but the rarest')
})
