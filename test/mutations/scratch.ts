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

export type Verdict = 'caught' | 'survived' | 'does not fit' | 'does not build'

interface Trial {
  readonly verdict: Verdict
  readonly output: string
}

/** A copy of the sources, built, where one mutation after the other is tried. */
export class ScratchCopy implements Disposable {
  readonly #root = scratchCopy()

  constructor() {
    if (!this.#build()) throw new Error('the sources do not build without any mutation')
  }

  /** Builds the sources with the mutation, runs its test, and puts the sources back. */
  judge(mutation: Mutation): Verdict {
    return this.try(mutation).verdict
  }

  /** The same, with all that the test has printed. */
  try({ rule, file, before, after, test, seeds = [] }: Mutation): Trial {
    const path = join(this.#root, file)
    const source = readFileSync(path, 'utf8')
    if (source.split(before).length !== 2) return { verdict: 'does not fit', output: '' }
    writeFileSync(
      path,
      source.replace(before, () => after),
    )
    try {
      if (!this.#build()) return { verdict: 'does not build', output: '' }
      const run = spawnSync(process.execPath, [join(this.#root, test), ...seeds.map(String)], {
        cwd: this.#root,
        encoding: 'utf8',
        timeout: 120_000 + 10_000 * seeds.length,
        // A test that runs in circles hears no other.
        killSignal: 'SIGKILL',
        maxBuffer: 256 * 1024 * 1024,
      })
      const names = new RegExp(`not ok \\d+ - (\\S+ )*${rule}\\b`)
      const isStuck = run.signal !== null && seeds.length === 0
      const isCaught = run.status !== 0 && (names.test(run.stdout) || isStuck)
      return { verdict: isCaught ? 'caught' : 'survived', output: run.stdout }
    } finally {
      writeFileSync(path, source)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true })
  }

  #build(): boolean {
    const tsc = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc')
    return spawnSync(process.execPath, [tsc, '-b'], { cwd: this.#root }).status === 0
  }
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
