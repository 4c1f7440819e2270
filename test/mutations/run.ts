/**
 * Proves the tests: applies every recorded one-line mutation to a scratch copy of the sources,
 * builds it, and demands that the test of its rule fails. Ends with a count, non-zero when one
 * mutation survives or does not fit the sources any more.
 *
 * Usage: npm run mutants [-- RULE ...]
 */
import { recordedMutations } from './recorded.js'
import { ScratchCopy } from './scratch.js'

const main = async (): Promise<void> => {
  const wanted = new Set(process.argv.slice(2))
  const all = await recordedMutations()
  const mutations = wanted.size === 0 ? all : all.filter(({ rule }) => wanted.has(rule))
  using scratch = new ScratchCopy()
  let failures = 0
  for (const mutation of mutations) {
    const verdict = scratch.judge(mutation)
    if (verdict !== 'caught') failures += 1
    process.stdout.write(`${verdict.padEnd(14)} ${mutation.rule} ${mutation.file}\n`)
  }
  process.stdout.write(`${mutations.length - failures} caught, ${failures} not\n`)
  process.exitCode = failures === 0 ? 0 : 1
}

await main()
