import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** JSON over HTTP, for the nodes and the storage: no part of what is shown here. */

export interface Answer {
  readonly status: number
  readonly body: unknown
}

export type Handler = (path: string, body: unknown) => Answer | Promise<Answer>

/** Listens on a free port. @returns the address */
export const listen = (handle: Handler): Promise<string> => {
  const server = createServer((request, response) => {
    void readJson(request)
      .then((body) => handle(request.url ?? '/', body))
      .catch((error: unknown): Answer => ({ status: 500, body: { error: String(error) } }))
      .then(({ status, body }) => response.writeHead(status).end(JSON.stringify(body)))
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    })
  })
}

/** @throws when there is no answer, or the signal aborts */
export const ask = async (url: string, body: unknown, signal?: AbortSignal): Promise<Answer> => {
  const request = { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(url, signal === undefined ? request : { ...request, signal })
  return { status: response.status, body: await response.json() }
}

const readJson = async (request: IncomingMessage): Promise<unknown> => {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string
  return JSON.parse(text)
}
