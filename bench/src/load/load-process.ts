import { Child } from '../child.js'
import type { Opening } from './connections.js'
import type { LoadAnswer, LoadQuestion } from './load-child.js'
import type { Broadcast, BroadcastResult, Load, LoadResult } from './load.js'

/** A connection found something wrong with an answer, or was closed. */
export class LoadFault extends Error {}

/** A generator in a process of its own. */
export class LoadProcess {
  readonly #child = new Child<LoadQuestion, LoadAnswer>('load/load-child')
  readonly #name: string

  /** @param name who is driven, for what is said of a fault */
  constructor(name: string) {
    this.#name = name
  }

  /** Closes the connections it had, and resolves when it has these. @throws LoadFault */
  async open(opening: Opening): Promise<void> {
    await this.#ask({ open: opening })
  }

  /** @throws LoadFault */
  async run(load: Load): Promise<LoadResult> {
    const answer = await this.#ask({ run: load })
    if ('result' in answer) return answer.result
    throw new Error('the generator answered something else')
  }

  /** @throws LoadFault */
  async broadcast(broadcast: Broadcast): Promise<BroadcastResult> {
    const answer = await this.#ask({ broadcast })
    if ('broadcast' in answer) return answer.broadcast
    throw new Error('the generator answered something else')
  }

  /** Resolves when one of the servers has taken a write on a new connection. */
  async firstWrite(opening: Opening): Promise<void> {
    await this.#ask({ firstWrite: opening })
  }

  async close(): Promise<void> {
    await this.#ask({ close: true })
  }

  stop(): Promise<void> {
    return this.#child.end()
  }

  async #ask(question: LoadQuestion): Promise<LoadAnswer> {
    const answer = await this.#child.ask(question)
    if ('fault' in answer) throw new LoadFault(`${this.#name}: ${answer.fault}`)
    return answer
  }
}
