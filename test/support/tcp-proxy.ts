import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { reset } from './reset.js'
import type { Owner } from './wire-socket.js'

/** Which way bytes go: to the one who dialled, or to the server. */
export type Direction = 'toClient' | 'toServer'

/** Stands between clients, or other servers, and a server on loopback, and can be a bad network. */
export interface TcpProxy {
  readonly port: number
  /** `host:port` */
  readonly address: string
  /** Cuts all connections; new ones are cut at once until {@link heal}. */
  part(): void
  /** Cuts all connections; new ones are let through. */
  cut(): void
  /** What goes this way does not arrive until {@link heal}, nor does the end of a connection. */
  hold(direction: Direction): void
  /** All that arrives comes so much later, in its order, until {@link heal}. */
  delay(delayMs: number): void
  heal(): void
}

/** @param host of the server, and of the proxy */
export const startProxy = async (t: Owner, port: number, host = '127.0.0.1'): Promise<TcpProxy> => {
  const proxy = new Proxy(host, port)
  t.teardown(() => proxy.stop())
  await proxy.start()
  return proxy
}

interface Link {
  readonly near: Socket
  readonly far: Socket
}

class Proxy implements TcpProxy {
  readonly #host: string
  readonly #port: number
  readonly #listener: Server
  readonly #links = new Set<Link>()
  readonly #held = new Set<Direction>()
  #isParted = false
  #delayMs = 0

  constructor(host: string, port: number) {
    this.#host = host
    this.#port = port
    this.#listener = createServer((near) => this.#accept(near))
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  get address(): string {
    return `${this.#host}:${this.port}`
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#listener.listen(0, this.#host, resolve))
  }

  stop(): void {
    this.#listener.close()
    this.cut()
  }

  part(): void {
    this.#isParted = true
    this.cut()
  }

  cut(): void {
    for (const { near, far } of this.#links) {
      reset(near)
      reset(far)
    }
  }

  hold(direction: Direction): void {
    this.#held.add(direction)
    for (const link of this.#links) sourceOf(link, direction).pause()
  }

  delay(delayMs: number): void {
    this.#delayMs = delayMs
  }

  heal(): void {
    this.#isParted = false
    this.#delayMs = 0
    this.#held.clear()
    for (const { near, far } of this.#links) {
      near.resume()
      far.resume()
    }
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined)
    if (this.#isParted) {
      reset(near)
      return
    }
    const far = connect({ host: this.#host, port: this.#port })
    const link = { near, far }
    this.#links.add(link)
    far.on('error', () => near.destroy())
    this.#carry(near, far)
    this.#carry(far, near)
    for (const socket of [near, far]) {
      socket.on('close', () => {
        this.#links.delete(link)
        near.destroy()
        far.destroy()
      })
    }
    for (const direction of this.#held) sourceOf(link, direction).pause()
  }

  #carry(from: Socket, to: Socket): void {
    const underway: (Buffer | null)[] = []
    const arrive = (): void => {
      const bytes = underway.shift() ?? null
      if (to.destroyed) return
      if (bytes === null) to.end()
      else to.write(bytes)
    }
    const leave = (bytes: Buffer | null): void => {
      underway.push(bytes)
      if (this.#delayMs > 0 || underway.length > 1) setTimeout(arrive, this.#delayMs)
      else arrive()
    }
    from.on('data', leave)
    from.on('end', () => leave(null))
  }
}

const sourceOf = ({ near, far }: Link, direction: Direction): Socket =>
  direction === 'toClient' ? far : near
