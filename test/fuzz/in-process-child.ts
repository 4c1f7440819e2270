import { type Finding, Fuzzing } from './target.js'
import { targets } from './targets/index.js'

export interface TargetReport {
  readonly target: string
  readonly executions: number
  readonly executionsPerSecond: number
  readonly signatures: number
  readonly finding: {
    readonly execution: number
    readonly hex: string
    readonly stack: string
  } | null
}

/** All targets in turn, for so long in all; each goes on where it stopped. */
const main = async (seed: number, durationMs: number, only: string | null): Promise<void> => {
  const chosen = targets.filter(({ name }) => only === null || name === only)
  const runs = chosen.map((target) => ({ target, fuzzing: new Fuzzing(target, seed), ms: 0 }))
  const endMs = performance.now() + durationMs
  const failed = new Set<string>()
  while (performance.now() < endMs && failed.size < runs.length) {
    for (const run of runs) {
      if (failed.has(run.target.name)) continue
      const start = performance.now()
      let finding: Finding | null = null
      while (finding === null && performance.now() - start < sliceMs) {
        finding = await run.fuzzing.run(10)
      }
      run.ms += performance.now() - start
      if (finding !== null) failed.add(run.target.name)
      process.send?.(reportOf(run, finding))
    }
  }
  process.disconnect?.()
}

const reportOf = (
  { target, fuzzing, ms }: { target: { name: string }; fuzzing: Fuzzing; ms: number },
  finding: Finding | null,
): TargetReport => ({
  target: target.name,
  executions: fuzzing.progress.executions,
  executionsPerSecond: Math.round((fuzzing.progress.executions / ms) * 1_000),
  signatures: fuzzing.progress.signatures.size,
  finding:
    finding === null
      ? null
      : {
          execution: finding.execution,
          hex: finding.input.toString('hex'),
          stack: finding.error.stack ?? finding.error.message,
        },
})

const sliceMs = 1_000

process.once('message', (options: { seed: number; durationMs: number; only: string | null }) => {
  void main(options.seed, options.durationMs, options.only)
})
