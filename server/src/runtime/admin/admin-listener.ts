import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limits } from '@conclave/protocol'
import { isKnownHost } from '../net/handshake.js'
import type { Metrics } from './metrics.js'
import type { ServerState } from './server-state.js'

export interface AdminOptions {
  /** Names of this server besides the loopback ones. */
  readonly hosts: readonly string[]
  readonly metrics: Metrics
  readonly state: () => Promise<ServerState>
}

/** What those who run a server ask it over HTTP. Nothing can be changed by it. */
export class AdminListener {
  readonly #http: Server
  readonly #options: AdminOptions

  constructor(options: AdminOptions) {
    this.#options = options
    this.#http = createServer(
      {
        headersTimeout: 5_000,
        requestTimeout: 5_000,
        keepAliveTimeout: 5_000,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: 8_192,
      },
      (request, response) => void this.#answer(request, response),
    )
    this.#http.maxConnections = limits.adminConnectionsMax
  }

  /** @throws Error of the system (EADDRINUSE, EACCES, ...) */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject)
      this.#http.listen({ host, port }, resolve)
    })
    this.#options.metrics.start()
    this.#http.removeAllListeners('error').on('error', () => undefined)
    return (this.#http.address() as AddressInfo).port
  }

  close(): void {
    this.#options.metrics.stop()
    this.#http.close()
    this.#http.closeAllConnections()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type = 'text/plain', body } = await this.#page(request)
    response.writeHead(status, {
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // A body that nobody reads must not keep the connection.
      ...(request.method === 'GET' ? {} : { connection: 'close', allow: 'GET' }),
    })
    response.end(body)
  }

  async #page({ method, url, headers }: IncomingMessage): Promise<Page> {
    if (method !== 'GET') return { status: 405, body: 'Only GET.\n' }
    // A page of another site that made its name mean this address has another Host.
    if (headers.origin !== undefined || !isKnownHost(headers.host, this.#options.hosts)) {
      return { status: 403, body: 'This Host is not a name of the server; list it in hosts.\n' }
    }
    const page = this.#pages.get((url ?? '').split('?')[0] ?? '')
    if (page !== undefined) return page()
    return { status: 404, body: `There are ${[...this.#pages.keys()].join(', ')}.\n` }
  }

  readonly #pages: ReadonlyMap<string, () => Page | Promise<Page>> = new Map<
    string,
    () => Page | Promise<Page>
  >([
    ['/healthz', () => ({ status: 200, body: 'alive\n' })],
    ['/readyz', () => this.#readiness()],
    ['/metrics', () => this.#metrics()],
    ['/status', () => this.#status()],
  ])

  async #readiness(): Promise<Page> {
    const { ready, why } = await this.#options.state()
    return ready ? { status: 200, body: 'ready\n' } : { status: 503, body: `${why}\n` }
  }

  async #metrics(): Promise<Page> {
    const { metrics } = this.#options
    return { status: 200, type: metrics.contentType, body: await metrics.text() }
  }

  async #status(): Promise<Page> {
    const body = `${JSON.stringify(await this.#options.state())}\n`
    return { status: 200, type: 'application/json', body }
  }
}

interface Page {
  readonly status: number
  readonly type?: string
  readonly body: string
}
