import { existsSync } from 'node:fs'
import { connect, ConclaveError } from '#client/index.js'
import { Mutex } from '#client/recipes/index.js'

export interface StandingHolderOptions {
  readonly url: string
  readonly lock: string
  readonly sessionTimeoutMs: number
}

/** Tells it to stand still until there is such a file. */
export interface StandStill {
  readonly file: string
}

export interface StandingHolderMessage {
  readonly token: number
  /** What it thought when it could move again, before anything was heard; null at first. */
  readonly isHeld: boolean | null
  /** What became of the write that it made at once under its guard. */
  readonly outcome: string | null
}

/** A holder of a lock in a process of its own, which stands still and then writes at once. */
const main = async (options: StandingHolderOptions): Promise<void> => {
  const { url, lock, sessionTimeoutMs } = options
  const client = await connect(url, { sessionTimeoutMs })
  const grant = await new Mutex(client, lock).acquire()
  const { token } = grant
  const say = (message: StandingHolderMessage): void => void process.send?.(message)
  process.once('message', ({ file }: StandStill) => {
    const cell = new Int32Array(new SharedArrayBuffer(4))
    while (!existsSync(file)) Atomics.wait(cell, 0, 0, 10)
    const { isHeld } = grant
    const writing = client.transaction().add(grant.guard).create('/stale').commit()
    writing.then(
      () => say({ token, isHeld, outcome: 'done' }),
      (error: unknown) =>
        say({
          token,
          isHeld,
          outcome: error instanceof ConclaveError ? error.code : String(error),
        }),
    )
  })
  say({ token, isHeld: null, outcome: null })
}

process.once('disconnect', () => process.exit())
process.once('message', (options: StandingHolderOptions) => {
  main(options).catch((error: unknown) => {
    process.exitCode = 1
    process.disconnect()
    throw error
  })
})
