import { runWorld, type WorldOptions } from './world.js'

/** Runs the worlds of the seeds in the command line until one breaks a promise: that as TAP. */
export const runPinned = async (
  rules: string,
  about: Pick<WorldOptions, 'usesRecipes'> = {},
): Promise<void> => {
  for (const [index, seed] of process.argv.slice(2).map(Number).entries()) {
    const { violation } = await runWorld({ seed, safetyMs: 60_000, livenessMs: 30_000, ...about })
    const title = `${index + 1} - ${rules} seed ${seed}`
    process.stdout.write(
      violation === null ? `ok ${title}\n` : `not ok ${title}: ${violation.message}\n`,
    )
    if (violation === null) continue
    process.exitCode = 1
    break
  }
}
