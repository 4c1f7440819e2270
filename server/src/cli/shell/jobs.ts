import { backgroundJobsMax } from '../limits.js'
import type { Output } from '../output/output.js'
import { sentenceOf } from '../sentence.js'
import { UsageError } from '../usage-error.js'

/** A command that runs beside the shell. */
interface Job {
  readonly id: number
  readonly line: string
  readonly abort: AbortController
}

/** What was started with `&`. */
export class Jobs {
  readonly #output: Output
  readonly #running = new Map<number, Job>()
  #lastId = 0

  constructor(output: Output) {
    this.#output = output
  }

  get all(): readonly Job[] {
    return [...this.#running.values()]
  }

  start(line: string, run: (signal: AbortSignal) => Promise<void>): void {
    if (this.#running.size >= backgroundJobsMax) {
      throw new UsageError(`at most ${backgroundJobsMax} commands run in the background; stop one`)
    }
    this.#lastId += 1
    const job: Job = { id: this.#lastId, line, abort: new AbortController() }
    this.#running.set(job.id, job)
    this.#output.note(`[${job.id}] ${line}`)
    void this.#follow(job, run)
  }

  /** @throws UsageError when there is no such job */
  stop(id: number): void {
    const job = this.#running.get(id)
    if (job === undefined) throw new UsageError(`there is no job ${id}; "jobs" lists them`)
    job.abort.abort(new JobStopped())
  }

  stopAll(): void {
    for (const { abort } of this.all) abort.abort(new JobStopped())
  }

  async #follow({ id, line, abort }: Job, run: (signal: AbortSignal) => Promise<void>) {
    try {
      await run(abort.signal)
      this.#output.note(`[${id}] done: ${line}`)
    } catch (error) {
      if (error instanceof JobStopped) this.#output.note(`[${id}] stopped: ${line}`)
      else this.#output.error(`[${id}] ${sentenceOf(error)}`)
    } finally {
      this.#running.delete(id)
    }
  }
}

/** The shell, not the server, ended it. */
class JobStopped extends Error {
  override readonly name = 'JobStopped'
}
