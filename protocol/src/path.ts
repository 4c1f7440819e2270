import { limits } from './limits.js'
import { utf8Length } from './utf8.js'

/** Reserved for the system. */
export const systemPath = '/conclave'

/**
 * Judges a path against the rules of docs/SPEC.md (PATH).
 * @returns what is wrong with it, as a sentence fit for an error message, or null when it is valid
 */
export const pathFault = (path: string): string | null => {
  if (path === '/') return null
  if (!path.startsWith('/')) return `a path starts with '/'`
  if (path.endsWith('/')) return `a path does not end with '/'`
  // Cheap bound before anything walks the string: a character is at least one byte.
  if (path.length > limits.pathBytesMax || utf8Length(path) > limits.pathBytesMax) {
    return `a path has at most ${limits.pathBytesMax} bytes`
  }
  return partsFault(path)
}

/**
 * Judges the path of a sequential create, whose last part is a prefix to which digits are added
 * and may therefore be empty.
 */
export const sequentialPathFault = (path: string): string | null =>
  pathFault(path + '0'.repeat(sequenceDigitsMax))

/** The path of the parent; the root is its own parent. */
export const parentPath = (path: string): string => {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** The last part of the path; empty for the root. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

export const joinPath = (parent: string, name: string): string =>
  parent === '/' ? `/${name}` : `${parent}/${name}`

/** True when `path` is `root` or lies below it. */
export const isWithin = (path: string, root: string): boolean =>
  root === '/' || path === root || path.startsWith(`${root}/`)

/** The suffix of a sequential name: at least ten digits, more when the number needs them. */
export const sequenceSuffix = (sequence: number): string => String(sequence).padStart(10, '0')

/** Of 2^53 - 1: what a prefix must leave room for. */
const sequenceDigitsMax = 16

const partsFault = (path: string): string | null => {
  let depth = 0
  let start = 1
  while (start <= path.length) {
    let end = path.indexOf('/', start)
    if (end === -1) end = path.length
    if (end === start) return 'a path has no empty part'
    if (isDots(path, start, end)) return `a path has no '.' or '..' part`
    for (let i = start; i < end; i++) {
      const unit = path.charCodeAt(i)
      if (isBanned(unit)) return `a path has no character U+${hex(unit)}`
    }
    depth += 1
    if (depth > limits.pathDepthMax) return `a path has at most ${limits.pathDepthMax} levels`
    start = end + 1
  }
  return null
}

const isDots = (path: string, start: number, end: number): boolean =>
  path[start] === '.' &&
  (end - start === 1 || (end - start === 2 && path.charCodeAt(start + 1) === 0x2e))

// Surrogates are inside the banned range, so only the basic plane can be named, as in ZooKeeper.
const isBanned = (unit: number): boolean =>
  unit < 0x20 ||
  (unit >= 0x7f && unit <= 0x9f) ||
  (unit >= 0xd800 && unit <= 0xf8ff) ||
  unit >= 0xfff0

const hex = (unit: number): string => unit.toString(16).toUpperCase().padStart(4, '0')
