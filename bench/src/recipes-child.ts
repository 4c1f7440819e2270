import { type Client, connect } from '@conclave/client'
import { Election, type Grant, Mutex } from '@conclave/client/recipes'
import { answerParent } from './child.js'

export type RecipesQuestion =
  /** A client with so short a session. */
  | { readonly connect: { readonly url: string; readonly sessionTimeoutMs: number } }
  /** Answered when it is elected; it leads until it ends. */
  | { readonly lead: { readonly path: string } }
  /** Two clients take a lock from each other as often. */
  | { readonly handOver: { readonly url: string; readonly path: string; readonly times: number } }

export type RecipesAnswer =
  | { readonly done: true }
  /** From the release until the other has it, of each time. */
  | { readonly handOversMs: readonly number[] }

let client: Client | null = null

const lead = (path: string): Promise<void> => {
  const election = new Election(client as Client, path)
  return new Promise((resolve, reject) => {
    const untilTheEnd = new Promise<void>(() => undefined)
    election
      .lead(() => {
        resolve()
        return untilTheEnd
      })
      .catch(reject)
  })
}

const handOver = async (url: string, path: string, times: number): Promise<readonly number[]> => {
  await using first = await connect(url)
  await using second = await connect(url)
  const mutexes = [new Mutex(first, path), new Mutex(second, path)] as const
  let grant: Grant = await mutexes[0].acquire()
  const took: number[] = []
  for (let i = 1; i <= times; i++) {
    const next = mutexes[i % 2] as Mutex
    const acquired = next.acquire().then((other) => ({ other, atMs: performance.now() }))
    while ((await next.waiters()).length === 0);
    const startMs = performance.now()
    const [{ other, atMs }] = await Promise.all([acquired, grant.release()])
    took.push(atMs - startMs)
    grant = other
  }
  await grant.release()
  return took
}

answerParent<RecipesQuestion, RecipesAnswer>(
  async (question) => {
    if ('handOver' in question) {
      const { url, path, times } = question.handOver
      return { handOversMs: await handOver(url, path, times) }
    }
    if ('lead' in question) await lead(question.lead.path)
    else {
      const { url, sessionTimeoutMs } = question.connect
      client = await connect(url, { sessionTimeoutMs })
    }
    return { done: true }
  },
  async () => client?.close(),
)
