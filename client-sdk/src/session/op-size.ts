import { utf8Length } from '@conclave/protocol'

/** An upper bound of the bytes of a frame around its operation. */
const frameOverhead = 64

/**
 * An upper bound of the size of an operation or a result in MessagePack, without making it.
 */
export const sizeBound = (value: unknown): number => {
  if (typeof value === 'string') return 5 + utf8Length(value)
  if (typeof value !== 'object' || value === null) return 9
  if (value instanceof Uint8Array) return 5 + value.length
  let size = 5
  if (Array.isArray(value)) for (const element of value) size += sizeBound(element)
  else for (const key in value) size += sizeBound((value as Record<string, unknown>)[key])
  return size
}

export const frameSizeBound = (op: unknown): number => frameOverhead + sizeBound(op)
