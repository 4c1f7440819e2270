import { appendFileSync } from 'node:fs'
import { ask, listen } from './http.js'

/**
 * The disk that all nodes share, as it would be an object store or a replicated log: a process of
 * its own. It knows nothing of Conclave. All it has to do is to compare two numbers: it refuses
 * whoever comes with a lower token than it has seen for the shard.
 *
 * It writes down every write that it accepts, for the audit at the end.
 */

export interface ShardWrite {
  readonly shard: number
  /** The token of the lease under which the node serves the shard. */
  readonly token: number
  readonly key: string
  readonly value: number
}

/** The storage as the nodes see it. */
export class Storage {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /**
   * The content of a shard. From now on whoever had it before, with a lower token, is fenced.
   *
   * @returns null when the caller is fenced itself
   */
  async open(shard: number, token: number): Promise<ReadonlyMap<string, number> | null> {
    const { status, body } = await ask(`${this.url}/open`, { shard, token })
    return status === 200 ? new Map(body as [string, number][]) : null
  }

  /** @returns false when the caller is fenced */
  async write(write: ShardWrite): Promise<boolean> {
    return (await ask(`${this.url}/write`, write)).status === 200
  }

  /** How often somebody came with a token that was too low. */
  async refused(): Promise<number> {
    return Number((await ask(`${this.url}/refused`, {})).body)
  }
}

/** The process itself: `node storage.js JOURNAL`. */
export const runStorage = (journal: string): Promise<string> => {
  const tokens = new Map<number, number>()
  const contents = new Map<number, Map<string, number>>()
  let refused = 0
  return listen((path, body) => {
    if (path === '/refused') return { status: 200, body: refused }
    const { shard, token, key, value } = body as ShardWrite
    if (token < (tokens.get(shard) ?? 0)) {
      refused += 1
      return { status: 409, body: { error: 'fenced' } }
    }
    tokens.set(shard, token)
    const content = contents.get(shard) ?? new Map<string, number>()
    contents.set(shard, content)
    if (path === '/open') return { status: 200, body: [...content] }
    appendFileSync(journal, `${JSON.stringify({ shard, token, key, value })}\n`)
    content.set(key, value)
    return { status: 200, body: {} }
  })
}
