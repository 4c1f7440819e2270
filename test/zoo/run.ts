/**
 * The bug zoo: writes each known bug of the trusted systems into a scratch copy of the sources and
 * demands that the test named beside it fails. Ends with a count, non-zero when a bug survives.
 *
 * Usage: npm run zoo [-- BUG ...]
 */
import { ScratchCopy } from '../mutations/scratch.js'
import { bugs } from './bugs.js'

const wanted = new Set(process.argv.slice(2))
const chosen = wanted.size === 0 ? bugs : bugs.filter(({ bug }) => wanted.has(bug))
using scratch = new ScratchCopy()
let failures = 0
for (const bug of chosen) {
  const verdict = scratch.judge(bug)
  if (verdict !== 'caught') failures += 1
  process.stdout.write(`${verdict.padEnd(14)} ${bug.bug.padEnd(18)} ${bug.rule}: ${bug.story}\n`)
}
process.stdout.write(`${chosen.length - failures} caught, ${failures} not\n`)
process.exitCode = failures === 0 ? 0 : 1
