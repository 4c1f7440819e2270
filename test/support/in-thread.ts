import { on } from 'node:events'
import { Worker } from 'node:worker_threads'

/**
 * Runs a module in a thread of its own, without what a test runner hooks into promises: simulated
 * worlds are made of promises, and take half as long again with it.
 *
 * @param share what the module finds as its `workerData`
 * @returns what it posts, until it ends; leaving the loop ends it
 * @throws what it throws
 */
export async function* inThread<T>(module: URL, share: unknown): AsyncGenerator<T, void> {
  const worker = new Worker(module, { workerData: share })
  try {
    const messages = on(worker, 'message', { close: ['exit'] }) as AsyncIterable<[T]>
    for await (const [message] of messages) yield message
  } finally {
    await worker.terminate()
  }
}
