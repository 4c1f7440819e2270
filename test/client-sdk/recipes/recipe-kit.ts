import { type Client, NoNodeError } from '#client/index.js'

/** The children of a znode; none when it is not there. */
export const namesAt = async (client: Client, path: string): Promise<readonly string[]> => {
  try {
    return await client.list(path, { consistency: 'linearizable' }).toArray()
  } catch (error) {
    if (error instanceof NoNodeError) return []
    throw error
  }
}

/** Resolves to the children of a znode once they are as wanted. */
export const untilNames = async (
  client: Client,
  path: string,
  isWanted: (names: readonly string[]) => boolean,
): Promise<readonly string[]> => {
  for await (const event of client.watch(path, { recursive: true })) {
    const names = await namesAt(client, path)
    if (isWanted(names)) return names
    if (event.type === 'gap') throw new Error('a gap')
  }
  throw new Error('the client was closed')
}

export const untilEmpty = async (client: Client, path: string): Promise<void> => {
  await untilNames(client, path, (names) => names.length === 0)
}

/** Resolves to the reason once the signal has aborted. */
export const abortOf = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(signal.reason)
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true })
  })

/** The process stands still: no timer runs and no message is heard. */
export const standStillUntil = (isOver: () => boolean): void => {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  while (!isOver()) Atomics.wait(cell, 0, 0, 10)
}

/** A promise and its two ends. */
export const deferred = <T = void>() => {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((onDone, onFailed) => {
    resolve = onDone
    reject = onFailed
  })
  return { promise, resolve, reject }
}

/** Resolves once there is no such znode. */
export const untilGone = async (client: Client, path: string): Promise<void> => {
  for (;;) {
    const { stat, changed } = await client.exists(path, { watch: true })
    if (stat === null) return
    await changed
  }
}
