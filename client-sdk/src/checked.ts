import { BadArgumentsError } from './errors.js'

/** What a value must be, and how that is said. */
export interface Check {
  readonly fits: (value: unknown) => boolean
  readonly says: string
}

/** A check for every name, so that none is forgotten. What is `undefined` is left out. */
export type Checks<O> = { readonly [K in keyof O]-?: Check }

/**
 * Options, or another object of named values, once it is sure that every name is known and every
 * value fits: a misspelt option is an error, never silence.
 *
 * @param noun what one of them is called
 * @throws BadArgumentsError
 */
export const checked = <O extends object>(
  given: O | undefined,
  checks: Checks<O>,
  noun = 'option',
): O => {
  if (given === undefined) return {} as O
  const known: Readonly<Record<string, Check>> = checks
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw refusal(`expected an object with any ${noun} of: ${Object.keys(known).join(', ')}`)
  }
  const stranger = Object.keys(given).find((name) => !Object.hasOwn(known, name))
  if (stranger !== undefined) {
    throw refusal(`there is no ${noun} ${stranger}; there are ${Object.keys(known).join(', ')}`)
  }
  for (const name in known) {
    const value = (given as Readonly<Record<string, unknown>>)[name]
    const { fits, says } = known[name] as Check
    if (value !== undefined && !fits(value)) throw refusal(`the ${noun} ${name} is ${says}`)
  }
  return given
}

export const isBoolean: Check = {
  fits: (value) => typeof value === 'boolean',
  says: 'true or false',
}

export const isSignal: Check = {
  fits: (value) => value instanceof AbortSignal,
  says: 'an AbortSignal',
}

export const wholeNumber = (min: number, max: number, noun = 'a whole number'): Check => ({
  fits: (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
  says: `${noun} from ${min} to ${max}`,
})

/** What timers can count. */
export const timerMsMax = 2_147_483_647

/** May have a fraction, as the difference of two times has. */
export const duration: Check = {
  fits: (value) => typeof value === 'number' && value >= 0 && value <= timerMsMax,
  says: `a number of ms from 0 to ${timerMsMax}`,
}

export const anyOf = (...values: readonly unknown[]): Check => ({
  fits: (value) => values.includes(value),
  says: `one of ${values.map((value) => `'${String(value)}'`).join(', ')}`,
})

export const isText: Check = { fits: (value) => typeof value === 'string', says: 'a text' }

export const isFunction: Check = {
  fits: (value) => typeof value === 'function',
  says: 'a function',
}

/** Judged elsewhere. */
export const anything: Check = { fits: () => true, says: '' }

const refusal = (message: string): Error => new BadArgumentsError({ message })
