import { Child } from './child.js'
import type { ReaderAnswer, ReaderQuestion } from './reader-child.js'
import type { Latencies } from './report.js'

/** Another client, in a process of its own, so that it waits for the server alone. */
export class ReaderProcess {
  readonly #child = new Child<ReaderQuestion, ReaderAnswer>('reader-child')

  /** Reads this znode from now on. */
  async read(url: string, path: string): Promise<void> {
    await this.#child.ask({ read: { url, path } })
  }

  /** The latencies since the last time this was asked. */
  async measure(): Promise<Latencies> {
    const { latencies } = await this.#child.ask({ measure: true })
    if (latencies === null) throw new Error('the reader answered something else')
    return latencies
  }

  stop(): Promise<void> {
    return this.#child.end()
  }
}
