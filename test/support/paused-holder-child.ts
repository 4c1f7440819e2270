import { existsSync, writeFileSync } from 'node:fs'
import { connect, SessionExpiredError } from '#client/index.js'
import { type Held, hold, type Holding, lifetimeMs, type Written, writeToken } from './held.js'

/** What a holder is told; again and again, in this order. */
export type HolderOrder =
  | { readonly order: 'hold'; readonly url: string; readonly holdings: readonly Holding[] }
  /** Makes the one file, stands still until there is the other, and then writes at once. */
  | { readonly order: 'stand'; readonly standing: string; readonly goOn: string }
  | { readonly order: 'release' }

/** A write by who has stood still. */
export interface HeldWrite extends Written {
  readonly token: number
  /** What it thought when it could move again, before anything was heard. */
  readonly isHeld: boolean
}

/** What it holds, and, once it has stood, what it wrote then. */
export interface HolderAnswer {
  readonly tokens: readonly number[]
  readonly writes: readonly HeldWrite[]
}

class PausedHolder {
  #holdings: readonly Holding[] = []
  #held: readonly Held[] = []

  async obey(order: HolderOrder): Promise<HolderAnswer> {
    let writes: readonly HeldWrite[] = []
    switch (order.order) {
      case 'hold':
        this.#holdings = order.holdings
        this.#held = await Promise.all(order.holdings.map((one) => holdAnew(order.url, one)))
        break
      case 'stand':
        writes = await Promise.all(this.#stand(order.standing, order.goOn))
        break
      case 'release':
        await Promise.all(this.#held.map(letGo))
    }
    return { tokens: this.#held.map(({ token }) => token), writes }
  }

  /** Nothing else runs from the first file to the last write: the loop of events does not turn. */
  #stand(standing: string, goOn: string): readonly Promise<HeldWrite>[] {
    const cell = new Int32Array(new SharedArrayBuffer(4))
    writeFileSync(standing, '')
    while (!existsSync(goOn)) Atomics.wait(cell, 0, 0, 1)
    return this.#held.map(async (held, i) => {
      const about = { token: held.token, isHeld: held.isHeld() }
      return { ...about, ...(await writeToken(held, (this.#holdings[i] as Holding).value)) }
    })
  }
}

/** A session of its own for each; a slow machine may let it expire before it holds anything. */
const holdAnew = async (url: string, holding: Holding): Promise<Held> => {
  const isTimed = holding.kind === 'timed lease'
  for (;;) {
    const client = await connect(url, { sessionTimeoutMs: isTimed ? 60_000 : lifetimeMs })
    try {
      return await hold(client, holding)
    } catch (error) {
      if (!(error instanceof SessionExpiredError)) throw error
    }
  }
}

const letGo = async (held: Held): Promise<void> => {
  await held.release()
  await held.client.close()
}

const holder = new PausedHolder()
process.once('disconnect', () => process.exit())
process.on('message', (order: HolderOrder) => {
  holder.obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      process.exitCode = 1
      process.disconnect()
      throw error
    },
  )
})
