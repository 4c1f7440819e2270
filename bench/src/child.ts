import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A process of its own that runs a script of this folder and answers questions one at a time. */
export class Child<Question extends object, Answer> {
  readonly #child: ChildProcess
  readonly #gone: Promise<void>
  #answered: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null

  /** @param script such as `server-child` */
  constructor(script: string) {
    const path = fileURLToPath(new URL(`./${script}.js`, import.meta.url))
    this.#child = fork(path, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (answer: Answer) => this.#answered?.resolve(answer))
    this.#gone = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#answered?.reject(new Error(`${script} ended: ${code ?? signal}`))
        resolve()
      })
    })
  }

  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#answered = { resolve, reject }
      this.#child.send(question, (error) => {
        if (error !== null) reject(error)
      })
    })
  }

  /** Lets it end in order; kills it when it does not within a minute. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 60_000)
    await this.#gone
    clearTimeout(timer)
  }

  /** Such as SIGKILL, which is kill -9; resolves when it is gone. */
  async endBy(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill(signal)
    await this.#gone
  }

  /** It stands still until it is told to go on. */
  stand(isStanding: boolean): void {
    this.#child.kill(isStanding ? 'SIGSTOP' : 'SIGCONT')
  }
}

/** The other side: answers each question, and ends when the parent lets go, or by SIGTERM. */
export const answerParent = <Question, Answer>(
  answer: (question: Question) => Promise<Answer>,
  end: () => Promise<void>,
): void => {
  process.on('message', (question: Question) => {
    answer(question).then(
      (value) => process.send?.(value),
      (error: Error) => {
        process.stderr.write(`${error.stack ?? error.message}\n`)
        process.exit(1)
      },
    )
  })
  let isLeaving = false
  const leave = (): void => {
    if (!isLeaving) void end().finally(() => process.exit())
    isLeaving = true
  }
  process.once('disconnect', leave)
  process.once('SIGTERM', leave)
}
