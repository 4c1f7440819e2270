import { Child } from './child.js'
import type { Outcome } from './counting-writer.js'
import type { WritersAnswer, WritersQuestion } from './writers-child.js'

/** Clients of an ensemble, one at each server, in a process of their own. */
export class WritersProcess {
  readonly #child = new Child<WritersQuestion, WritersAnswer>('writers-child')

  /** One at each of these servers from now on; each knows all servers that the url names. */
  async spread(url: string, servers: readonly number[]): Promise<void> {
    await this.#child.ask({ spread: { url, servers } })
  }

  /** @returns writes a second */
  async saturate(seconds: number): Promise<number> {
    const answer = await this.#child.ask({ saturate: { seconds } })
    if ('perSecond' in answer) return answer.perSecond
    throw unexpected()
  }

  async pace(perSecond: number): Promise<void> {
    await this.#child.ask({ pace: { perSecond } })
  }

  /**
   * While they write. Waits until each has an answer.
   * @returns of each the longest time without one since the last time this was asked
   */
  async gapsMs(): Promise<readonly number[]> {
    const answer = await this.#child.ask({ gaps: true })
    if ('gapsMs' in answer) return answer.gapsMs
    throw unexpected()
  }

  /** Waits for all answers. */
  async finish(): Promise<Outcome> {
    const answer = await this.#child.ask({ finish: true })
    if ('outcome' in answer) return answer.outcome
    throw unexpected()
  }

  stop(): Promise<void> {
    return this.#child.end()
  }
}

const unexpected = (): Error => new Error('the writers answered something else')
