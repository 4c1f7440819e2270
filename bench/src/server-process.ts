import type { ReplicaStatus, ServerOptions } from '@conclave/server'
import { Child } from './child.js'
import type { ServerMeasure } from './report.js'
import type { ServerAnswer, ServerQuestion } from './server-child.js'

/** A real server in a process of its own, on loopback. */
export class ServerProcess {
  readonly #child = new Child<ServerQuestion, ServerAnswer>('server-child')
  #url = ''

  get url(): string {
    return this.#url
  }

  /** Resolves when it serves clients. */
  async start(options: ServerOptions): Promise<void> {
    const answer = await this.#child.ask({ start: options })
    if ('url' in answer) this.#url = answer.url
  }

  /** What was since the last time this was asked. */
  async measure(): Promise<ServerMeasure> {
    const answer = await this.#child.ask({ measure: true })
    if (!('measure' in answer)) throw new Error('the server answered something else')
    return answer.measure
  }

  /** Null while it has none. */
  async status(): Promise<ReplicaStatus | null> {
    const answer = await this.#child.ask({ status: true })
    if (!('status' in answer)) throw new Error('the server answered something else')
    return answer.status
  }

  stop(): Promise<void> {
    return this.#child.end()
  }

  endBy(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    return this.#child.endBy(signal)
  }

  stand(isStanding: boolean): void {
    this.#child.stand(isStanding)
  }
}
