import t from 'tap'
import { flipImages, everyBit, verdictsOf } from '../support/flip-images.js'
import { sweep } from '../support/flips.js'

t.setTimeout(3_500_000)

for (const { name, isCrashed, make, verdicts } of flipImages) {
  t.test(
    `DISK-10 DISK-17 every flipped bit ${name} is refused, repaired, or no matter`,
    async (t) => {
      const options = { bits: everyBit, stride: 1, unusedStride: 4 }
      const { counts, lies } = await sweep(await make(), { ...options, isCrashed })
      t.strictSame(lies.slice(0, 5), [])
      t.comment(counts)
      t.strictSame(verdictsOf(counts), verdicts)
      t.ok(counts.refused >= 8_000, `${counts.refused} refused`)
    },
  )
}
