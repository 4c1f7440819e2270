import t from 'tap'
import { flipImages, oneBit, verdictsOf } from '../../../support/flip-images.js'
import { sweep } from '../../../support/flips.js'

t.setTimeout(110_000)

for (const { name, isCrashed, make, verdicts } of flipImages) {
  t.test(`DISK-10 DISK-17 a flipped bit ${name} is refused, repaired, or no matter`, async (t) => {
    const options = { bits: oneBit, stride: 9, unusedStride: 256 }
    const { counts, lies } = await sweep(await make(), { ...options, isCrashed })
    t.strictSame(lies.slice(0, 5), [])
    t.comment(counts)
    t.strictSame(verdictsOf(counts), verdicts)
    t.ok(counts.refused > 150, `${counts.refused} refused`)
  })
}
