/** The bytes were MessagePack but not what the protocol says: the connection is to be closed. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError'
}

/** What a value that was not expected is called. */
export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return 'nil'
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Uint8Array) return 'bytes'
  return `a ${typeof value}`
}

export const notAnArray = (value: unknown, at: string): ShapeError =>
  new ShapeError(`${at}: expected an array, got ${kindOf(value)}`)

export const wrongArity = (array: readonly unknown[], arity: number, at: string): ShapeError =>
  new ShapeError(`${at}: expected ${arity} elements, got ${array.length}`)
