import { Packr } from 'msgpackr'
import { limits } from '../limits.js'
import { ShapeError } from '../schema.js'
import { isUtf8 } from '../utf8.js'

/**
 * Plain MessagePack: no extensions, so any library in any language can speak it. The options:
 * no msgpackr records; undefined is nil; 64-bit integers become numbers (a schema refuses those
 * that a number cannot hold).
 */
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  int64AsType: 'number',
})

/** @returns the value's bytes; they are the caller's own */
export const pack = (value: unknown): Uint8Array => packr.pack(value)

/**
 * @returns the value; byte strings in it are views of `bytes`
 * @throws ShapeError when the bytes are not exactly one MessagePack value, or when there is a map,
 * an extension or too deep a nesting anywhere in it
 */
export const unpack = (bytes: Uint8Array): unknown => {
  // Looked through before msgpackr sees it, which would make objects of extensions, and arrays as
  // large as a few bytes say.
  const fault = faultOf(bytes)
  if (fault !== null) throw new ShapeError(`not MessagePack as the protocol has it: ${fault}`)
  try {
    return packr.unpack(bytes)
  } catch (error) {
    throw new ShapeError(`not MessagePack: ${error instanceof Error ? error.message : 'damaged'}`)
  }
}

/** Goes from value to value without making any. @returns what is wrong, or null */
const faultOf = (bytes: Uint8Array): string | null => {
  const end = bytes.length
  let at = 0
  /** How many values are still to come in the innermost array; in those around it see below. */
  let left = 1
  let depth = 0
  for (;;) {
    while (left === 0) {
      if (depth === 0) return at === end ? null : 'more than one value'
      depth -= 1
      left = around[depth] as number
    }
    left -= 1
    if (at >= end) return 'it ends too early'
    const token = bytes[at] as number
    at += 1
    if (token < 0x80 || token >= 0xe0) continue
    if (isBanned(token)) return 'a map, an extension or no value at all'
    const header = headerBytes(token)
    if (at + header > end) return 'it ends too early'
    const length = lengthOf(bytes, at, token)
    at += header
    if (!isArray(token)) {
      if (length > end - at) return 'it ends too early'
      // Otherwise two byte strings could be one path.
      if (isText(token) && !isUtf8(bytes, at, at + length)) return 'a text that is not UTF-8'
      at += length
    } else if (length > end - at) {
      return 'it ends too early'
    } else if (depth >= limits.nestingMax) {
      return `arrays are nested more than ${limits.nestingMax} deep`
    } else {
      around[depth] = left
      depth += 1
      left = length
    }
  }
}

/** Made once: there are more looks than anything else. */
const around = new Float64Array(limits.nestingMax)

const isBanned = (token: number): boolean =>
  token < 0x90 ||
  token === 0xc1 ||
  (token >= 0xc7 && token <= 0xc9) ||
  (token >= 0xd4 && token <= 0xd8) ||
  token >= 0xde

const isText = (token: number): boolean =>
  (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb)

const isArray = (token: number): boolean => token < 0xa0 || token === 0xdc || token === 0xdd

/** How many bytes behind the token say how long the value is. */
const headerBytes = (token: number): number => {
  if (token < 0xc4) return 0
  switch (token) {
    case 0xc4: // bin 8
    case 0xd9: // str 8
      return 1
    case 0xc5: // bin 16
    case 0xda: // str 16
    case 0xdc: // array 16
      return 2
    case 0xc6: // bin 32
    case 0xdb: // str 32
    case 0xdd: // array 32
      return 4
    default:
      return 0
  }
}

/** The elements of an array, or the bytes that any other value takes behind its header. */
const lengthOf = (bytes: Uint8Array, at: number, token: number): number => {
  if (token < 0xa0) return token & 0x0f
  if (token < 0xc0) return token & 0x1f
  if (token < 0xc4) return 0 // nil, false, true
  // Floats and integers: 4 or 8 bytes, and 1, 2, 4 or 8, unsigned and signed.
  if (token === 0xca || token === 0xcb) return 4 << (token - 0xca)
  if (token >= 0xcc && token <= 0xd3) return 1 << (token & 3)
  let length = 0
  for (let i = 0; i < headerBytes(token); i++) length = length * 256 + (bytes[at + i] as number)
  return length
}
