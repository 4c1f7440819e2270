import { UsageError } from './usage-error.js'

/**
 * The path that a word means. A slash at its end is left out, unless it belongs to the prefix of a
 * sequential create.
 *
 * @param place what relative paths start from; null where there are none
 * @throws UsageError
 */
export const treePath = (
  text: string,
  place: string | null,
  { isPrefix = false }: { readonly isPrefix?: boolean } = {},
): string => {
  if (text === '') throw new UsageError('a path is not empty; the root is /')
  if (place === null && text === '.') return '/'
  if (place === null && !text.startsWith('/')) {
    throw new UsageError(`a path starts with /, so write /${text}`)
  }
  const parts = text.startsWith('/') ? [] : (place ?? '/').split('/').filter((part) => part !== '')
  const named = text.replace(/^\//, '').split('/')
  const last = named.length - 1
  for (const [i, part] of named.entries()) {
    if (part === '' && i === last && !isPrefix) continue
    if (part === '.') continue
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return `/${parts.join('/')}`
}
