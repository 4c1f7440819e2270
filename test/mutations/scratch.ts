import { execFileSync, spawn } from 'node:child_process'
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

export interface Trial {
  readonly verdict: Verdict
  readonly output: string
}

interface Run {
  readonly status: number | null
  readonly output: string
}

/** A copy of the sources, built, where one mutation after the other is tried. */
class ScratchCopy implements Disposable {
  readonly #root = scratchCopy()

  static async make(): Promise<ScratchCopy> {
    const scratch = new ScratchCopy()
    if (await scratch.#build()) return scratch
    scratch[Symbol.dispose]()
    throw new Error('the sources do not build without any mutation')
  }

  /** Builds the sources with the mutation, runs its test, and puts the sources back. */
  async try({ rule, file, before, after, test, seeds = [] }: Mutation): Promise<Trial> {
    const path = join(this.#root, file)
    const source = readFileSync(path, 'utf8')
    if (source.split(before).length !== 2) return { verdict: 'does not fit', output: '' }
    writeFileSync(
      path,
      source.replace(before, () => after),
    )
    try {
      if (!(await this.#build())) return { verdict: 'does not build', output: '' }
      const timeoutMs = 120_000 + 10_000 * seeds.length
      const run = await this.#run([join(this.#root, test), ...seeds.map(String)], timeoutMs)
      const names = new RegExp(`not ok \\d+ - (\\S+ )*${rule}\\b`)
      const isStuck = run.status === null && seeds.length === 0
      const isCaught = run.status !== 0 && (names.test(run.output) || isStuck)
      return { verdict: isCaught ? 'caught' : 'survived', output: run.output }
    } finally {
      writeFileSync(path, source)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true })
  }

  async #build(): Promise<boolean> {
    const tsc = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc')
    return (await this.#run([tsc, '-b'], 120_000)).status === 0
  }

  /** @returns the exit code, null when it had to be killed, and what was printed */
  #run(args: readonly string[], timeout: number): Promise<Run> {
    // A test that runs in circles hears no other signal.
    const child = spawn(process.execPath, args, {
      cwd: this.#root,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout,
      killSignal: 'SIGKILL',
    })
    const printed: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => printed.push(chunk))
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status) => {
        resolve({ status, output: Buffer.concat(printed).toString('utf8') })
      })
    })
  }
}

/**
 * Tries each mutation, as many at once as there are jobs, each job in a copy of its own.
 *
 * @param told is called as each trial ends
 */
export const tryAll = async <M extends Mutation>(
  mutations: readonly M[],
  jobs: number,
  told: (mutation: M, trial: Trial) => void,
): Promise<void> => {
  const left = [...mutations]
  const work = async (): Promise<void> => {
    using scratch = await ScratchCopy.make()
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      told(next, await scratch.try(next))
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, left.length) }, work))
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
