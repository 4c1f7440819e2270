import type { WaitOptions } from '#client/index.js'
import { Barrier } from '#client/recipes/index.js'
import type { Random } from '../random.js'
import { type GrantKind, type Held, holding, writeToken } from './grants.js'
import { passingPath } from './places.js'
import type { Activity, User } from './user.js'

/** Holds something for a while, and writes under it. */
export const hold =
  (kind: GrantKind): Activity =>
  (user) => {
    const { client, name, oracles, process, random, sleep } = user
    return holding(client, { kind, wait: drawWait(random) }, async (held) => {
      const stopWriting = process.onGoOn(() => void write(user, held, 'late'))
      const giveBack = oracles.grants.granted(held, name)
      try {
        while (random.chance(0.8) && held.isHeld()) {
          await sleep(random.exponential(200))
          await write(user, held, 'guarded')
        }
      } finally {
        giveBack()
        stopWriting()
      }
    })
  }

/** Whoever closes it opens it; the others pass. */
export const meet: Activity = async ({ client, random, sleep }) => {
  const barrier = new Barrier(client, `${passingPath}/barrier`)
  if (random.chance(0.6)) return barrier.pass(drawWait(random))
  if (!(await barrier.close({ ...drawWait(random), whileAlive: true }))) return
  await sleep(random.exponential(500))
  await barrier.open()
}

export const drawWait = (random: Random): WaitOptions =>
  random.chance(0.3) ? { timeoutMs: random.between(0, 3_000) } : {}

const write = async (user: User, held: Held, what: 'guarded' | 'late'): Promise<void> => {
  const isHeld = held.isHeld()
  try {
    await writeToken(user.client, held)
    user.done(`${what} write done`)
  } catch (error) {
    user.ended(`${what} write ${isHeld ? 'while held' : 'when lost'}`, error)
  }
}
