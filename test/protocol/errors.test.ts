import t from 'tap'
import { type ErrorCode, errorCodes, errorTable, failure, isTransient } from '@conclave/protocol'
import { readText } from '../support/repository.js'

t.test('ERROR-2 the table of codes is the table of the protocol page', async (t) => {
  const page = readText('docs/PROTOCOL.md')
  const section = /## 7\. Failures(?<text>[^]*?)\n## 8\./.exec(page)?.groups?.['text'] ?? ''
  const rows = [...section.matchAll(/^\| `(\w+)` \| (\w+)(, transient)? \|/gm)]
  const written = rows.map(([, code, retry, transient]) => [code, retry, transient !== undefined])
  const real = errorCodes.map((code) => [code, errorTable[code].retry, isTransient(code)])
  t.equal(real.length, 23)
  t.same(real, written)
  for (const code of errorCodes) {
    t.equal(errorTable[code].outcome, 'notExecuted', code)
    t.match(errorTable[code].message, /^[a-z].{8,}/, code)
    t.same(failure(code), { code, message: errorTable[code].message, index: null })
  }
})

t.test('ERROR-3 exactly four codes are transient', async (t) => {
  const expected: ErrorCode[] = ['sessionMoved', 'throttled', 'noSpace', 'closing']
  t.same(errorCodes.filter(isTransient), expected)
})
