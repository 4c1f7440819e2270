import { setTimeout as sleep } from 'node:timers/promises'
import type { Opening } from './connections.js'
import { drivers } from './drivers.js'

/** Tries to connect and write, again and again at each server, until one has written. */
export const firstWrite = async (opening: Opening): Promise<void> => {
  const written = new AbortController()
  const { signal } = written
  let attempts = 0
  while (!signal.aborted && attempts < attemptsMax) {
    for (const address of opening.addresses) {
      attempts += 1
      // One that fails is one of many.
      write(opening, address, attempts).then(
        () => written.abort(),
        () => undefined,
      )
    }
    await sleep(attemptMs, null, { signal }).catch(() => undefined)
  }
  if (!signal.aborted) throw new Error(`nothing was written in ${attempts} attempts`)
}

const write = async (
  { driver, name }: Opening,
  address: string,
  attempt: number,
): Promise<void> => {
  let onFault: (error: Error) => void = () => undefined
  const fault = new Promise<never>((_, reject) => {
    onFault = reject
  })
  const connection = await Promise.race([drivers[driver](address, onFault), fault])
  const created = new Promise<void>((resolve) => {
    connection.create(`/${name}-${attempt}`, payload, () => resolve())
  })
  try {
    await Promise.race([created, fault])
  } finally {
    // Nobody waits for the end of what has failed, or has shown all it can.
    connection.close().catch(() => undefined)
  }
}

const payload = Buffer.alloc(100, 'conclave ')
const attemptMs = 10
const attemptsMax = 6_000
