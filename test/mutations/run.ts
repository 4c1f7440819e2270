/**
 * Proves the tests: applies every recorded one-line mutation to a scratch copy of the sources,
 * builds it, and demands that the test of its rule fails. Ends with a count, non-zero when one
 * mutation survives or does not fit the sources any more.
 *
 * Usage: npm run mutants [-- --jobs 2] [RULE ...]
 */
import { parseArgs } from 'node:util'
import { recordedMutations } from './recorded.js'
import { tryAll } from './scratch.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: '1' } },
})
const wanted = new Set(positionals)
const all = await recordedMutations()
const mutations = wanted.size === 0 ? all : all.filter(({ rule }) => wanted.has(rule))
let failures = 0
await tryAll(mutations, Number(values.jobs), ({ rule, file }, { verdict }) => {
  if (verdict !== 'caught') failures += 1
  process.stdout.write(`${verdict.padEnd(14)} ${rule} ${file}\n`)
})
process.stdout.write(`${mutations.length - failures} caught, ${failures} not\n`)
process.exitCode = failures === 0 ? 0 : 1
