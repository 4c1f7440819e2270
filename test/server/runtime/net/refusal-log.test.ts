import { RefusalLog } from '#server/runtime/net/refusal-log.js'
import t from 'tap'
import { captureLog } from '../../../support/server-kit.js'

t.test(
  'SERVER-17 refusals fill no log: 100 lines a second, and how many were left out',
  async (t) => {
    const { log, lines } = captureLog()
    let nowMs = 5_000
    const refusals = new RefusalLog(log, () => nowMs)
    const refuse = (times: number): void => {
      for (let i = 0; i < times; i++) refusals.warn({ why: 'x' }, 'refused')
    }
    refuse(100)
    t.equal(lines.length, 100)
    refuse(250)
    nowMs += 999
    refuse(50)
    t.equal(lines.length, 100)
    nowMs += 1
    refuse(1)
    t.equal(lines.length, 101)
    t.match(lines[100], { why: 'x', msg: 'refused', unsaid: 300 })
    refuse(1)
    t.equal(lines[101]?.['unsaid'], undefined)
  },
)
