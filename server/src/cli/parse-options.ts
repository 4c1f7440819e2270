import { durationMaxMs } from './limits.js'
import { UsageError } from './usage-error.js'

/** A whole number that is not negative. */
export const wholeNumber =
  (what: string, max = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value <= max) return value
    throw new UsageError(`${what} is a whole number from 0 to ${max}, not "${text}"`)
  }

/** Milliseconds, or a number with a unit: `500`, `500ms`, `90s`, `5m`, `12h`, `30d`. */
export const duration =
  (what: string) =>
  (text: string): number => {
    const [, digits = '', unit = 'ms'] = /^(\d+)(ms|s|m|h|d)?$/.exec(text) ?? []
    const value = Number(digits) * (unitMs.get(unit) ?? 1)
    if (digits !== '' && value > 0 && value <= durationMaxMs) return value
    throw new UsageError(`${what} is a time such as 500ms, 90s, 5m, 12h or 30d, not "${text}"`)
  }

/** `user:password`; the password is never repeated in the error. */
export const credentials = (
  text: string,
): { readonly scheme: 'digest'; readonly user: string; readonly password: string } => {
  const colon = text.indexOf(':')
  if (colon < 1 || colon === text.length - 1) {
    throw new UsageError('credentials are written user:password')
  }
  return { scheme: 'digest', user: text.slice(0, colon), password: text.slice(colon + 1) }
}

const unitMs: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])
