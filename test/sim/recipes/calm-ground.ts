import type { FaultGround } from '../../client-sdk/recipes/every-frame.js'
import { Random } from '../random.js'
import { SimClock } from '../sim-clock.js'
import { stagedCalmly } from '../stage.js'
import { simPlatform, simUrl } from './sim-platform.js'
import { SimProcess } from './sim-process.js'

/** Nothing takes longer, in simulated ms, than the end of some sessions and of what they left. */
const msMax = 300_000

/** Three simulated servers, for clients each in a process of its own. */
export const calmGround = async (): Promise<{
  readonly ground: FaultGround
  /** Lets the world go on until the promise has settled. @returns null when that takes too long */
  settled<T>(promise: Promise<T>): Promise<T | null>
}> => {
  const stage = await stagedCalmly(1)
  const { schedule, ensemble } = stage
  const dice = new Random(1)
  let made = 0
  const place: FaultGround['place'] = () => {
    made += 1
    const name = `client-${made}`
    const random = dice.split(name)
    const clock = new SimClock(schedule, random.split('clock'), { driftMax: 0, offsetMsMax: 0 })
    const process = new SimProcess(() => ensemble.promised())
    return simPlatform({ place: name, process, clock, schedule, random, ensemble })
  }
  return {
    ground: { url: simUrl(ensemble), place },
    async settled(promise) {
      let isOver = false
      const over = (): void => void (isOver = true)
      promise.then(over, over)
      const endMs = schedule.nowMs + msMax
      while (!isOver && schedule.nowMs < endMs) await stage.run(1)
      return isOver ? promise : null
    },
  }
}
