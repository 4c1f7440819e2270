import Benchmark from 'benchmark'
import { aligned } from '../aligned.js'
import { codec } from './codec.js'
import { digests } from './digest.js'
import { openLog } from './log.js'
import type { MicroCase, MicroSuite } from './micro-case.js'
import { paths } from './path.js'
import { tree } from './tree.js'
import { watch } from './watch.js'

/** @returns the row of a case: its speed, the time of one operation, and how sure that is */
const measure = (one: MicroCase): Promise<readonly string[]> =>
  new Promise((resolve, reject) => {
    const { name, operations } = one
    const run = (): void | Promise<void> => one.run()
    // A run that gives a promise is over when that is.
    const fn = (deferred: Benchmark.Deferred): void => {
      Promise.resolve(run()).then(() => deferred.resolve(), reject)
    }
    const isAsync = run() instanceof Promise
    const benchmark = new Benchmark({
      name,
      ...(isAsync ? { defer: true, fn } : { fn: run }),
      onError: () => reject(new Error(`${name}: ${String(benchmark.error)}`)),
      onComplete: () => {
        const perSecond = benchmark.hz * operations
        resolve([
          name,
          `${Math.round(perSecond).toLocaleString('en')}/s`,
          `${(1e9 / perSecond).toFixed(0)} ns`,
          `±${benchmark.stats.rme.toFixed(1)} %`,
        ])
      },
    })
    benchmark.run({ async: true })
  })

const suites: readonly MicroSuite[] = [codec, paths, tree, watch, digests, await openLog()]
for (const suite of suites) {
  const rows: (readonly string[])[] = [[suite.name, 'operations', 'each', 'margin']]
  try {
    for (const one of suite.cases) rows.push(await measure(one))
  } finally {
    await suite.close()
  }
  process.stdout.write(`${aligned(rows).join('\n')}\n\n`)
}
