import { notAnArray, wrongArity } from './shape-error.js'

/** An object whose fields travel as an array, in their order; a tag may come first. */
export interface ArrayShape {
  readonly fields: readonly ShapeField[]
  /** Null where nothing but the place in another value says what it is. */
  readonly variant: ShapeVariant | null
}

export interface ShapeField {
  readonly name: string
  /** What an error calls it. */
  readonly path: string
  /** It travels as it is. */
  readonly isPlain: boolean
  readonly schema: {
    decode(value: unknown, at: string): unknown
    encode(value: unknown): unknown
  }
}

interface ShapeVariant {
  /** The property that names the variant in the program, and its value. */
  readonly key: string
  readonly name: string
  /** What the array begins with. */
  readonly tag: number
}

/** The two directions of a shape. */
export interface ArrayCodec {
  /** @throws ShapeError naming `at` */
  decode(array: unknown, at: string): object
  encode(object: object): readonly unknown[]
}

/**
 * Functions for this one shape, whose code spells its fields out. One function that loops over the
 * fields of all shapes sees objects of a hundred kinds, and V8 then looks every field up by its
 * name, on a slow path. Where a platform lets no program make code, as pages may ask of a
 * browser (Content Security Policy), that function does the work.
 */
export const arrayCodec = (shape: ArrayShape): ArrayCodec =>
  mayMakeCode ? compiled(shape) : interpreted(shape)

const compiled = ({ fields, variant }: ArrayShape): ArrayCodec => {
  const first = variant === null ? 0 : 1
  const at = variant === null ? 'at' : JSON.stringify(variant.name)
  const said = variant === null ? [] : [`${quoted(variant.key)}: ${quoted(variant.name)}`]
  const read = fields.map(
    ({ name, path }, i) =>
      `${quoted(name)}: schema${i}.decode(array[${first + i}], ${quoted(path)})`,
  )
  const written = fields.map(({ name, isPlain }, i) => {
    const value = `object[${quoted(name)}]`
    return isPlain ? value : `schema${i}.encode(${value})`
  })
  const tag = variant === null ? [] : [String(variant.tag)]
  const made = `{ ${[...said, ...read].join(', ')} }`
  const code = `
    const always = Object.freeze({ ${said.join(', ')} })
    const decode = (array, at) => {
      if (!Array.isArray(array)) throw notAnArray(array, at)
      if (array.length !== ${first + fields.length}) {
        throw wrongArity(array, ${first + fields.length}, ${at})
      }
      return ${fields.length === 0 ? 'always' : made}
    }
    const encode = (object) => [${[...tag, ...written].join(', ')}]
    return { decode, encode }`
  const known = {
    notAnArray,
    wrongArity,
    ...Object.fromEntries(fields.map(({ schema }, i) => [`schema${i}`, schema])),
  }
  // oxlint-disable-next-line typescript/no-implied-eval -- of the protocol's own tables alone
  return new Function(...Object.keys(known), code)(...Object.values(known)) as ArrayCodec
}

const interpreted = ({ fields, variant }: ArrayShape): ArrayCodec => {
  const said = variant === null ? {} : { [variant.key]: variant.name }
  const tag = variant === null ? [] : [variant.tag]
  const arity = tag.length + fields.length
  return {
    decode(array, at) {
      if (!Array.isArray(array)) throw notAnArray(array, at)
      if (array.length !== arity) throw wrongArity(array, arity, variant?.name ?? at)
      const object: Record<string, unknown> = { ...said }
      for (const [i, { name, path, schema }] of fields.entries()) {
        object[name] = schema.decode(array[tag.length + i], path)
      }
      return fields.length === 0 ? Object.freeze(object) : object
    },
    encode: (object) => [
      ...tag,
      ...fields.map(({ name, schema }) => schema.encode((object as Record<string, unknown>)[name])),
    ],
  }
}

const quoted = (text: string): string => JSON.stringify(text)

const mayMakeCode = ((): boolean => {
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- asks whether that is allowed
    return new Function('return true')() as boolean
  } catch {
    return false
  }
})()
