import type { Platform } from '#client/transport/transport.js'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import { Random } from '../sim/random.js'
import { VirtualNetwork } from './virtual-network.js'

/** A place for whole clients to run in, whose clock, dice and network are the test's. */
export class VirtualPlace {
  readonly random: Random
  readonly network: VirtualNetwork
  readonly platform: Platform
  /** How many timers are set. */
  timers = 0
  #deferred: (() => void)[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
    this.network = new VirtualNetwork(this.random.split('network'))
    const dice = this.random.split('platform')
    this.platform = {
      transport: {
        open: (_server, events) => {
          const connection = this.network.open({
            opened: () => events.opened(),
            frames: (frames) => events.message(serverMessages.encode(frames)),
            lost: (reason) => events.lost(reason),
          })
          return {
            send: (message) => connection.send(clientMessages.decode(message)),
            close: () => connection.close(),
          }
        },
      },
      nowMs: () => this.network.nowMs,
      randomBytes: (count) => Uint8Array.from({ length: count }, () => dice.below(256)),
      timer: (afterMs, run) => this.#timer(afterMs, run),
      defer: (run) => void this.#deferred.push(run),
    }
  }

  /** Ends the turn: all that was deferred, and all that promises bring about. */
  async turn(): Promise<void> {
    do {
      for (const run of this.#deferred.splice(0)) run()
      await new Promise((resolve) => void setImmediate(resolve))
    } while (this.#deferred.length > 0)
  }

  /** Lets time pass, event by event; each has a turn of its own. */
  async run(forMs: number): Promise<void> {
    const untilMs = this.network.nowMs + forMs
    await this.turn()
    while (this.network.next(untilMs)) await this.turn()
  }

  #timer(afterMs: number, run: () => void): () => void {
    this.timers += 1
    const takeBack = this.network.at(this.network.nowMs + afterMs, () => {
      this.timers -= 1
      run()
    })
    return () => {
      if (takeBack()) this.timers -= 1
    }
  }
}
