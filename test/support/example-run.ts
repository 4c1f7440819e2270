import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { repositoryRoot } from './repository.js'

/** A run of the example as a user starts it. */
export class ExampleRun {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  /** All that it has said so far. */
  said = ''

  /** @param temporary the directory for its files */
  constructor(temporary: string) {
    const script = join(
      repositoryRoot,
      'docs',
      'examples',
      'dist',
      'sharded-kv',
      'story',
      'main.js',
    )
    this.#child = spawn(process.execPath, [script], {
      env: { PATH: process.env['PATH'], TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.said += text))
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve))
  }

  /** @returns the exit code */
  ended(): Promise<number | null> {
    return this.#ended
  }

  /** Resolves once it has said it. Rejects when it ends before. */
  async until(words: string): Promise<void> {
    while (!this.said.includes(words)) {
      const more = new Promise<boolean>((resolve) => {
        this.#child.stdout?.once('data', () => resolve(true))
      })
      const isOver = this.#ended.then(() => false)
      if (!(await Promise.race([more, isOver]))) throw new Error(`it ended: ${this.said}`)
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The processes that it has started. */
  children(): readonly number[] {
    return processes().flatMap(({ pid, parent }) => (parent === this.#child.pid ? pid : []))
  }
}

/** Those that run or stand still; what nobody has asked for after its end does not count. */
export const processes = (): readonly { readonly pid: number; readonly parent: number }[] => {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
  return lines.split('\n').flatMap((line) => {
    const [pid, parent, state = 'Z'] = line.trim().split(/\s+/)
    return state.startsWith('Z') ? [] : { pid: Number(pid), parent: Number(parent) }
  })
}
