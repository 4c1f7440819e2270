import type { Bench } from './scenario.js'
import type { ReaderProcess } from './reader-process.js'
import type { Phase } from './report.js'
import type { ServerProcess } from './server-process.js'

/** Runs the phases of a scenario one after the other and measures each. */
export class Phases {
  readonly #bench: Bench
  readonly #server: ServerProcess
  readonly #reader: ReaderProcess
  readonly done: Phase[] = []

  constructor(bench: Bench, server: ServerProcess, reader: ReaderProcess) {
    this.#bench = bench
    this.#server = server
    this.#reader = reader
  }

  /** @param work resolves to how many things it did, if that is a number */
  async run(phase: string, work: () => Promise<number | null>): Promise<Phase> {
    this.#bench.progress(phase)
    await this.#take()
    const startMs = performance.now()
    const count = await work()
    const seconds = (performance.now() - startMs) / 1_000
    const measured = { phase, seconds, count, ...(await this.#take()) }
    this.done.push(measured)
    return measured
  }

  async #take(): Promise<Pick<Phase, 'server' | 'gets'>> {
    return { gets: await this.#reader.measure(), server: await this.#server.measure() }
  }
}
