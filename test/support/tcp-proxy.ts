import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

/** Stands between clients and a server on loopback, and can be a bad network. */
export interface TcpProxy {
  /** `127.0.0.1:port` */
  readonly address: string
  /** Cuts all connections; new ones are cut at once until {@link heal}. */
  part(): void
  /** Cuts all connections; new ones are let through. */
  cut(): void
  heal(): void
  /** What the server says does not arrive until {@link release}. */
  hold(): void
  release(): void
}

export const startProxy = async (t: Test, port: number): Promise<TcpProxy> => {
  const proxy = new Proxy(port)
  t.teardown(() => proxy.stop())
  await proxy.start()
  return proxy
}

class Proxy implements TcpProxy {
  readonly #port: number
  readonly #listener: Server
  readonly #links = new Set<{ readonly near: Socket; readonly far: Socket }>()
  #isParted = false
  #isHolding = false

  constructor(port: number) {
    this.#port = port
    this.#listener = createServer((near) => this.#accept(near))
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.address() as AddressInfo).port}`
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#listener.listen(0, '127.0.0.1', resolve))
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
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  heal(): void {
    this.#isParted = false
  }

  hold(): void {
    this.#isHolding = true
    for (const { far } of this.#links) far.pause()
  }

  release(): void {
    this.#isHolding = false
    for (const { far } of this.#links) far.resume()
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined)
    if (this.#isParted) {
      near.resetAndDestroy()
      return
    }
    const far = connect({ host: '127.0.0.1', port: this.#port })
    const link = { near, far }
    this.#links.add(link)
    far.on('error', () => near.destroy())
    near.on('data', (bytes) => far.write(bytes))
    far.on('data', (bytes) => near.write(bytes))
    near.on('end', () => far.end())
    far.on('end', () => near.end())
    for (const socket of [near, far]) {
      socket.on('close', () => {
        this.#links.delete(link)
        near.destroy()
        far.destroy()
      })
    }
    if (this.#isHolding) far.pause()
  }
}
