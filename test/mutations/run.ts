/**
 * Proves the tests: applies every recorded one-line mutation to a scratch copy of the sources,
 * builds it, and demands that the test of its rule fails. Ends with a count, non-zero when one
 * mutation survives or does not fit the sources any more.
 *
 * Usage: npm run mutants [-- RULE ...]
 */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from '../support/repository.js'
import type { Mutation } from './mutation.js'

type Verdict = 'caught' | 'survived' | 'does not fit' | 'does not build'

const main = async (): Promise<void> => {
  const wanted = new Set(process.argv.slice(2))
  const all = await recorded()
  const mutations = wanted.size === 0 ? all : all.filter(({ rule }) => wanted.has(rule))
  const scratch = scratchCopy()
  let failures = 0
  try {
    build(scratch)
    for (const mutation of mutations) {
      const verdict = judge(scratch, mutation)
      if (verdict !== 'caught') failures += 1
      process.stdout.write(`${verdict.padEnd(14)} ${mutation.rule} ${mutation.file}\n`)
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  process.stdout.write(`${mutations.length - failures} caught, ${failures} not\n`)
  process.exitCode = failures === 0 ? 0 : 1
}

const recorded = async (): Promise<readonly Mutation[]> => {
  const here = import.meta.dirname
  const mutations: Mutation[] = []
  for (const name of readdirSync(here).sort()) {
    if (!name.endsWith('.js') || name === 'run.js' || name === 'mutation.js') continue
    const module = (await import(join(here, name))) as { mutations: readonly Mutation[] }
    mutations.push(...module.mutations)
  }
  return mutations
}

const judge = (scratch: string, { rule, file, before, after, test }: Mutation): Verdict => {
  const path = join(scratch, file)
  const source = readFileSync(path, 'utf8')
  if (source.split(before).length !== 2) return 'does not fit'
  writeFileSync(
    path,
    source.replace(before, () => after),
  )
  try {
    if (!build(scratch)) return 'does not build'
    const run = spawnSync(process.execPath, [join(scratch, test)], {
      cwd: scratch,
      encoding: 'utf8',
      timeout: 120_000,
      maxBuffer: 256 * 1024 * 1024,
    })
    const names = new RegExp(`not ok \\d+ - (\\S+ )*${rule}\\b`)
    return run.status !== 0 && (names.test(run.stdout) || run.signal !== null)
      ? 'caught'
      : 'survived'
  } finally {
    writeFileSync(path, source)
  }
}

const build = (scratch: string): boolean => {
  const tsc = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  return spawnSync(process.execPath, [tsc, '-b'], { cwd: scratch }).status === 0
}

/** The tracked files and what is built of them; dependencies are linked, the packages its own. */
const scratchCopy = (): string => {
  const scratch = mkdtempSync(join(tmpdir(), 'conclave-mutants-'))
  const git = ['ls-files', '--cached', '--others', '--exclude-standard']
  const files = execFileSync('git', git, { cwd: repositoryRoot, encoding: 'utf8' }).split('\n')
  for (const file of files) {
    if (file !== '') cpSync(join(repositoryRoot, file), join(scratch, file))
  }
  const modules = join(repositoryRoot, 'node_modules')
  mkdirSync(join(scratch, 'node_modules', '@conclave'), { recursive: true })
  for (const name of readdirSync(modules)) {
    if (name === '@conclave') continue
    symlinkSync(join(modules, name), join(scratch, 'node_modules', name))
  }
  for (const [name, folder] of [
    ['protocol', 'protocol'],
    ['client', 'client-sdk'],
    ['server', 'server'],
  ] as const) {
    symlinkSync(join(scratch, folder), join(scratch, 'node_modules', '@conclave', name))
  }
  return scratch
}

await main()
