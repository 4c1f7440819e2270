import t from 'tap'
import { ExampleRun } from '../support/example-run.js'
import { tempDirectory } from '../support/server-kit.js'

t.test('EXAMPLE-1 the story of the example keeps every promise', async (t) => {
  const run = new ExampleRun(tempDirectory(t))
  t.teardown(() => run.signal('SIGKILL'))
  t.equal(await run.ended(), 0, run.said)
  t.match(run.said, /refused as fenced/)
  t.match(run.said, /^ +lost +0$/m)
  t.match(run.said, /^ +stale, yet accepted +0$/m)
  t.notMatch(run.said, '\u001b', 'plain where there is no terminal')
})
