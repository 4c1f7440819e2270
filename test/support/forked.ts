import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A process of its own that runs a compiled script of this folder and talks by messages. */
export class Forked<Message> {
  /** Rejects when the process ends without being told to. */
  readonly fault: Promise<never>
  readonly #child: ChildProcess
  readonly #exit: Promise<void>
  readonly #inbox: Message[] = []
  readonly #readers: ((message: Message) => void)[] = []
  #isExpectedToEnd = false
  #hasEnded = false

  /** @param script such as `server-child` */
  constructor(script: string) {
    const path = fileURLToPath(new URL(`./${script}.js`, import.meta.url))
    this.#child = fork(path, { execArgv: [] })
    this.#child.on('message', (message: Message) => {
      const reader = this.#readers.shift()
      if (reader === undefined) this.#inbox.push(message)
      else reader(message)
    })
    this.#exit = new Promise((resolve) => {
      this.#child.once('exit', () => {
        this.#hasEnded = true
        resolve()
      })
    })
    this.fault = new Promise((_resolve, reject) => {
      this.#child.once('exit', (code, signal) => {
        if (this.#isExpectedToEnd) return
        reject(new Error(`${script} ended by itself: ${code ?? signal}`))
      })
    })
    this.fault.catch(() => undefined)
  }

  /** @returns what it answers; rejects when it ends instead */
  ask(question: object): Promise<Message> {
    this.#child.send(question)
    return Promise.race([this.#next(), this.fault])
  }

  tell(message: object): void {
    this.#child.send(message)
  }

  /** SIGSTOP: it stands still until {@link goOn}. */
  stand(): void {
    this.#child.kill('SIGSTOP')
  }

  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  /** Resolves when the process is gone, which is no fault from now on. */
  ended(): Promise<void> {
    this.#isExpectedToEnd = true
    return this.#exit
  }

  /** SIGKILL, at once; resolves when the process is gone. */
  kill(): Promise<void> {
    const ended = this.ended()
    if (this.#child.pid !== undefined && !this.#hasEnded) process.kill(this.#child.pid, 'SIGKILL')
    return ended
  }

  /** Closes the channel, on which the script ends in order. */
  end(): Promise<void> {
    const ended = this.ended()
    if (this.#child.connected) this.#child.disconnect()
    return ended
  }

  #next(): Promise<Message> {
    const message = this.#inbox.shift()
    if (message !== undefined) return Promise.resolve(message)
    return new Promise((resolve) => this.#readers.push(resolve))
  }
}
