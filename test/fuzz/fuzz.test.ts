import t from 'tap'
import { Dice } from './dice.js'
import { Fuzzing, type Target } from './target.js'
import { codecTargets } from './targets/codec.js'
import { diskTargets } from './targets/disk.js'
import { replicaTarget } from './targets/replica.js'
import { valueTargets } from './targets/values.js'

/** A little of what `npm run fuzz` does for hours, the same each time. */
const isFine = async (t: Tap, targets: readonly Target[], executions: number): Promise<void> => {
  for (const target of targets) {
    const fuzzing = new Fuzzing(target, 1)
    const finding = await fuzzing.run(executions)
    const { stack = '' } = finding?.error ?? {}
    t.equal(finding, null, `${target.name}: ${finding?.input.toString('hex') ?? ''} ${stack}`)
    t.ok(fuzzing.progress.signatures.size > 1, `${target.name} tells inputs apart`)
  }
}
type Tap = Pick<typeof t, 'equal' | 'ok'>

t.test('WIRE-2 WIRE-3 WIRE-18 any bytes are refused, or are a value with one encoding', (t) =>
  isFine(t, codecTargets, 2_000),
)

t.test('PATH-1 PATH-2 PATH-3 PATH-4 PATH-5 ACL-7 READ-9 validators judge as others do', (t) =>
  isFine(t, valueTargets, 3_000),
)

t.test('DISK-9 DISK-11 DISK-15 DISK-17 DISK-22 DISK-30 any file is read, or is damage', (t) =>
  isFine(t, diskTargets, 80),
)

t.test('READ-1 READ-2 WIRE-2 whatever clients say, replies and the log keep their promises', (t) =>
  isFine(t, [replicaTarget], 60),
)

t.test('WIRE-12 a fuzzer finds a fault, makes it small, and finds it again', async (t) => {
  const faulty: Target = {
    name: 'faulty',
    seeds: [Buffer.from('a long good input')],
    run(input) {
      if (input.includes(Buffer.from([0xdd])) && input.length > 3) throw new Error('a fault')
      return `${input.length % 7}`
    },
  }
  const first = await new Fuzzing(faulty, 7).run(100_000)
  const again = await new Fuzzing(faulty, 7).run(100_000)
  t.equal(first?.input.length, 4)
  t.ok(first?.input.includes(0xdd))
  t.strictSame([again?.execution, again?.input], [first?.execution, first?.input])
  const other = await new Fuzzing(faulty, 8).run(100_000)
  t.not(other?.execution, first?.execution, 'another seed goes another way')
})

t.test('WIRE-12 dice throw every number, and the same ones again', async (t) => {
  const [one, two] = [Dice.of(3, 'x'), Dice.of(3, 'x')]
  const thrown = Array.from({ length: 1_000 }, () => one.below(10))
  t.strictSame(
    thrown,
    Array.from({ length: 1_000 }, () => two.below(10)),
  )
  t.equal(new Set(thrown).size, 10)
})
