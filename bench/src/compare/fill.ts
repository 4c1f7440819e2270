import type { Contender } from './contender.js'

/** As many more znodes of 100 bytes. */
export const fill = async (contender: Contender, znodes: number): Promise<void> => {
  await contender.open({ connections: 16, placement: 'spread' })
  await contender.run({
    operation: 'create',
    inFlight: 32,
    until: { operations: znodes },
    valueBytes: 100,
    perSecond: null,
  })
  await contender.close()
}
