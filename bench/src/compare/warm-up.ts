import type { Bench } from '../scenario.js'
import type { Contender } from './contender.js'

/** A cold JVM is several times slower than a warm one; everybody gets the same. */
export const warmUp = async (bench: Bench, contenders: readonly Contender[]): Promise<void> => {
  const seconds = bench.quick ? quickWarmUpSeconds : warmUpSeconds
  for (const contender of contenders) {
    bench.progress(`warm up ${contender.entry.name} for ${seconds} s`)
    await contender.open({ connections: 16, placement: 'spread' })
    const until = { seconds: seconds / 2 }
    const load = { inFlight: 32, valueBytes: 100, perSecond: null }
    await contender.run({ ...load, operation: 'set', until })
    await contender.run({ ...load, operation: 'mixed', until })
    await contender.close()
  }
}

const warmUpSeconds = 15
const quickWarmUpSeconds = 4
