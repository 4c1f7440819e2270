import { arrayCodec, type ShapeField } from './array-shape.js'
import { kindOf, notAnArray, ShapeError } from './shape-error.js'

export { ShapeError } from './shape-error.js'

/**
 * A schema turns a decoded MessagePack value into a typed one, refusing everything else, and back.
 * Objects travel as positional arrays in the order of their fields; there are no maps on the wire.
 */
export interface Schema<T> {
  /** @throws ShapeError naming `at` when the value is not of this shape */
  decode(value: unknown, at: string): T
  encode(value: T): unknown
}

/** What a record or list need not call for each of its values. */
const asIs = (value: unknown): unknown => value

export type Infer<S> = S extends Schema<infer T> ? T : never

export type Fields = Readonly<Record<string, Schema<never> | Schema<unknown>>>
export type FieldTypes<F> = { readonly [K in keyof F]: Infer<F[K]> }

export const integer = <T extends number = number>(range: {
  readonly min: number
  readonly max: number
}): Schema<T> => ({
  decode(value, at) {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw new ShapeError(`${at}: expected an integer, got ${kindOf(value)}`)
    }
    if (value < range.min || value > range.max) {
      throw new ShapeError(`${at}: ${value} is outside ${range.min}..${range.max}`)
    }
    return (value === 0 ? 0 : value) as T // -0 is 0
  },
  encode: asIs,
})

/** 0 to 2^53 - 1. */
export const uint = <T extends number = number>(max = Number.MAX_SAFE_INTEGER): Schema<T> =>
  integer<T>({ min: 0, max })

export const boolean: Schema<boolean> = {
  decode(value, at) {
    if (typeof value !== 'boolean') {
      throw new ShapeError(`${at}: expected a boolean, got ${kindOf(value)}`)
    }
    return value
  },
  encode: asIs,
}

/** A string of at most `max` UTF-16 code units. What it says is judged elsewhere. */
export const text = <T extends string = string>(max: number): Schema<T> => ({
  decode(value, at) {
    if (typeof value !== 'string') {
      throw new ShapeError(`${at}: expected a string, got ${kindOf(value)}`)
    }
    if (value.length > max) throw new ShapeError(`${at}: longer than ${max} characters`)
    // What travels is UTF-8, which cannot say it.
    if (!value.isWellFormed()) throw new ShapeError(`${at}: half a surrogate pair`)
    return value as T
  },
  encode: asIs,
})

export const bytes = (max: number): Schema<Uint8Array> => ({
  decode(value, at) {
    if (!(value instanceof Uint8Array)) {
      throw new ShapeError(`${at}: expected bytes, got ${kindOf(value)}`)
    }
    if (value.length > max) throw new ShapeError(`${at}: longer than ${max} bytes`)
    return value
  },
  encode: asIs,
})

/** Neither more nor fewer. */
export const bytesExactly = (length: number): Schema<Uint8Array> => {
  const atMost = bytes(length)
  return {
    decode(value, at) {
      const decoded = atMost.decode(value, at)
      if (decoded.length < length) throw new ShapeError(`${at}: shorter than ${length} bytes`)
      return decoded
    },
    encode: asIs,
  }
}

export const nullable = <T>(inner: Schema<T>): Schema<T | null> => ({
  decode: (value, at) => (value === null || value === undefined ? null : inner.decode(value, at)),
  encode: inner.encode === asIs ? asIs : (value) => (value === null ? null : inner.encode(value)),
})

/** One of the given strings. */
export const oneOf = <T extends string>(...allowed: readonly T[]): Schema<T> => {
  const known = new Set<unknown>(allowed)
  return {
    decode(value, at) {
      if (!known.has(value)) {
        throw new ShapeError(`${at}: expected one of ${allowed.join(', ')}`)
      }
      return value as T
    },
    encode: asIs,
  }
}

export const list = <T>(item: Schema<T>, max: number): Schema<readonly T[]> => ({
  decode(value, at) {
    if (!Array.isArray(value)) throw notAnArray(value, at)
    const array: readonly unknown[] = value
    if (array.length > max) throw new ShapeError(`${at}: more than ${max} items`)
    const decoded: T[] = []
    for (const element of array) decoded.push(item.decode(element, at))
    return decoded
  },
  encode: item.encode === asIs ? asIs : (value) => value.map((element) => item.encode(element)),
})

/** An object that travels as the array of its fields, in the order they are written here. */
export const record = <F extends Fields>(fields: F): Schema<FieldTypes<F>> =>
  arrayCodec({ fields: shapeFields(fields), variant: null }) as Schema<FieldTypes<F>>

export interface Variant<F extends Fields = Fields> {
  readonly tag: number
  readonly fields: F
}

export type VariantTypes<Key extends string, V extends Readonly<Record<string, Variant>>> = {
  [N in keyof V & string]: Readonly<Record<Key, N>> & FieldTypes<V[N]['fields']>
}[keyof V & string]

/**
 * A union of records: the array's first element is the variant's number, then come its fields.
 * In the program the variant is told by its name in the property `key`.
 */
export const variants = <Key extends string, V extends Readonly<Record<string, Variant>>>(
  key: Key,
  table: V,
): Schema<VariantTypes<Key, V>> => {
  const byTag = new Map<unknown, Schema<object>>()
  const byName = new Map<unknown, Schema<object>>()
  for (const [name, { tag, fields }] of Object.entries(table)) {
    if (byTag.has(tag)) throw new Error(`two variants of ${key} have the number ${tag}`)
    const codec = arrayCodec({
      fields: shapeFields(fields, `${name}.`),
      variant: { key, name, tag },
    })
    byTag.set(tag, codec)
    byName.set(name, codec)
  }
  return {
    decode(value, at) {
      if (!Array.isArray(value)) throw notAnArray(value, at)
      const variant = byTag.get(value[0])
      if (variant === undefined) throw new ShapeError(`${at}: unknown ${key} ${kindOf(value[0])}`)
      return variant.decode(value, at) as VariantTypes<Key, V>
    },
    encode(value) {
      const name = (value as Record<string, unknown>)[key]
      const variant = byName.get(name)
      if (variant === undefined) throw new Error(`unknown ${key} ${String(name)}`)
      return variant.encode(value)
    },
  }
}

/** A value whose shape is known only to somebody else; passed on as it is. */
export const anything: Schema<unknown> = {
  decode: (value) => value,
  encode: asIs,
}

const shapeFields = (fields: Fields, prefix = ''): readonly ShapeField[] =>
  (Object.entries(fields) as [string, Schema<unknown>][]).map(([name, schema]) => {
    return { name, path: `${prefix}${name}`, isPlain: schema.encode === asIs, schema }
  })
