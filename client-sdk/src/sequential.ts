import { BadArgumentsError } from './errors.js'

/**
 * The number that a sequential create appended.
 *
 * @param name of the znode, or its path
 * @param prefix the name, or the path, that the create asked for
 * @returns NaN when the name was not made from that prefix
 * @throws `BadArgumentsError` when one of them is no string
 * @example sequenceOf('job-0000000042', 'job-')   // 42
 */
export const sequenceOf = (name: string, prefix: string): number => {
  checkNames(name, prefix)
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return /^\d{10,16}$/.test(digits) ? Number(digits) : Number.NaN
}

/**
 * Orders names that were made from one prefix by their numbers, also past ten digits, where plain
 * text order fails. The danger: names of different prefixes are compared as if they had one.
 *
 * @returns negative when `a` comes first, positive when `b` does, 0 when they are the same
 * @throws `BadArgumentsError` when one of them is no string
 * @example (await client.list('/queue').toArray()).sort(compareSequential)
 */
export const compareSequential = (a: string, b: string): number => {
  checkNames(a, b)
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}

const checkNames = (...names: readonly unknown[]): void => {
  if (names.every((name) => typeof name === 'string')) return
  throw new BadArgumentsError({ message: 'a name is a string' })
}
