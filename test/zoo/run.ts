/**
 * The bug zoo: writes each known bug of the trusted systems into a scratch copy of the sources and
 * demands that the test named beside it fails. Ends with a count, non-zero when a bug survives.
 *
 * Usage: npm run zoo [-- --jobs 2] [BUG ...]
 *        npm run zoo -- --search 40 [BUG ...]   looks for seeds that show a bug, in so many worlds
 */
import { parseArgs } from 'node:util'
import { tryAll } from '../mutations/scratch.js'
import type { Bug } from './bug.js'
import { bugs } from './bugs.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { search: { type: 'string' }, jobs: { type: 'string', default: '1' } },
})
const wanted = new Set(positionals)
const isWanted = ({ bug, seeds }: Bug): boolean =>
  wanted.size === 0 ? values.search === undefined || seeds !== undefined : wanted.has(bug)
const worlds = Array.from({ length: Number(values.search ?? 0) }, (_, index) => index + 1)
const chosen = bugs
  .filter(isWanted)
  .map((bug) => (worlds.length === 0 ? bug : { ...bug, seeds: worlds }))
let failures = 0
await tryAll(chosen, Number(values.jobs), ({ bug, rule, story }, { verdict, output }) => {
  if (verdict !== 'caught') failures += 1
  process.stdout.write(`${verdict.padEnd(14)} ${bug.padEnd(18)} ${rule}: ${story}\n`)
  const seen = worlds.length === 0 ? undefined : /^not ok .*$/m.exec(output)?.[0]
  if (seen !== undefined) process.stdout.write(`  ${seen}\n`)
})
process.stdout.write(`${chosen.length - failures} caught, ${failures} not\n`)
process.exitCode = failures === 0 ? 0 : 1
