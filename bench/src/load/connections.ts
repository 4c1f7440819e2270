import { Broadcaster } from './broadcaster.js'
import { type DriverName, drivers } from './drivers.js'
import { Generator } from './generator.js'
import { Lane } from './lane.js'
import type { Broadcast, BroadcastResult, Load, LoadResult } from './load.js'

/** Connections to open. */
export interface Opening {
  readonly driver: DriverName
  /** `host:port`, each for one connection. */
  readonly addresses: readonly string[]
  /** No other opening has it: znodes are made below it. */
  readonly name: string
}

/** Connections that stand or fall together. */
export class Connections {
  readonly #lanes: Lane[] = []
  readonly #fault: Promise<never>
  #onFault: (error: Error) => void = () => undefined
  #broadcaster: Broadcaster | null = null

  constructor() {
    this.#fault = new Promise<never>((_, reject) => {
      this.#onFault = reject
    })
    // It is asked for when there is a load.
    this.#fault.catch(() => undefined)
  }

  /** A few at a time, as servers are not made for a thousand at once. */
  async open({ driver, addresses, name }: Opening): Promise<void> {
    for (let from = 0; from < addresses.length; from += openingMax) {
      const some = addresses.slice(from, from + openingMax)
      const opened = await Promise.all(some.map((one) => drivers[driver](one, this.#onFault)))
      for (const connection of opened) {
        const path = `/${name}-${this.#lanes.length}`
        this.#lanes.push(new Lane(connection, path, this.#onFault))
      }
    }
  }

  run(load: Load): Promise<LoadResult> {
    return Promise.race([new Generator(this.#lanes, load).run(), this.#fault])
  }

  broadcast(broadcast: Broadcast): Promise<BroadcastResult> {
    this.#broadcaster ??= new Broadcaster(this.#lanes)
    return Promise.race([this.#broadcaster.run(broadcast), this.#fault])
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()))
  }
}

const openingMax = 32
