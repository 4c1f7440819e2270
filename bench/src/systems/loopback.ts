import { randomInt } from 'node:crypto'

/** An address that nobody else is likely to have, so that a port stays free over a restart. */
export const freeLoopback = (): string =>
  process.platform === 'linux'
    ? `127.${randomInt(1, 255)}.${randomInt(255)}.${randomInt(1, 255)}`
    : '127.0.0.1'

/** What a server says of itself over HTTP; null when it says nothing good. */
export const pageAt = async (url: string, body: string | null = null): Promise<string | null> => {
  try {
    const signal = AbortSignal.timeout(answerMsMax)
    const response = await fetch(url, {
      signal,
      ...(body === null ? {} : { method: 'POST', body }),
    })
    return response.ok ? await response.text() : null
  } catch {
    return null
  }
}

const answerMsMax = 2_000
