import fc from 'fast-check'

/** Short words for what the scripts are drawn from. */

export const weighted = <T>(
  ...choices: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<T>])[]
): fc.Arbitrary<T> => fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })))

export const anyOf = fc.constantFrom

export const just = <const T>(value: T): fc.Arbitrary<T> => fc.constant(value)

export const few = <T>(arbitrary: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> =>
  fc.array(arbitrary, { maxLength })

export const mostly: fc.Arbitrary<boolean> = weighted([4, just(true)], [1, just(false)])
