import { BadArgumentsError, UndecodableError } from './errors.js'

/**
 * Turns values into the bytes of a znode and back, at once: a codec that gives a promise is refused
 * with {@link BadArgumentsError}. `decode` gets an empty array for a znode without data. Both work
 * on copies, so a codec may use its buffers again. Both may throw: what `encode` refuses rejects
 * the call with `BadArgumentsError`, what `decode` refuses with {@link UndecodableError}.
 *
 * @example
 * const upper: Codec<string> = {
 *   encode: (value) => text.encode(value.toLowerCase()),
 *   decode: (data) => text.decode(data).toUpperCase(),
 * }
 */
export interface Codec<T> {
  encode(value: T): Uint8Array
  decode(data: Uint8Array): T
}

/**
 * Anything with a synchronous `parse`, such as a zod schema: data is JSON, and what is read is
 * parsed by it. What is written is not, only encoded.
 */
export interface SchemaLike<T> {
  parse(value: unknown): T
}

/**
 * A validator as https://standardschema.dev describes it (zod, valibot, arktype and others), whose
 * `validate` answers at once. Data is JSON, as of {@link SchemaLike}.
 */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<T> | Promise<StandardResult<T>>
  }
}

/** What a {@link StandardSchema} says of a value. */
export type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What `as` takes. */
export type As<T> = Codec<T> | SchemaLike<T> | StandardSchema<T>

/**
 * Data as it is: the default. What goes in and what comes out are copies, so the caller may use
 * its buffers again at once.
 *
 * @example await client.create('/raw', new Uint8Array([1, 2, 3]), { as: bytes })
 */
export const bytes: Codec<Uint8Array> = Object.freeze({
  encode(value: Uint8Array): Uint8Array {
    if (value instanceof Uint8Array) return new Uint8Array(value)
    const message = 'data is a Uint8Array, or null for none, unless `as` names a codec'
    throw new BadArgumentsError({ message })
  },
  decode: (data: Uint8Array): Uint8Array => new Uint8Array(data),
})

/**
 * Text in UTF-8. A znode without data is the empty text; bytes that are no UTF-8 are refused.
 *
 * @example await client.set('/motd', 'hello', { as: text })
 */
export const text: Codec<string> = Object.freeze({
  encode(value: string): Uint8Array {
    if (typeof value === 'string') return new TextEncoder().encode(value)
    throw new BadArgumentsError({ message: 'the codec `text` takes a string' })
  },
  decode: (data: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(data),
})

const jsonCodec = {
  encode(value: unknown): Uint8Array {
    const encoded = JSON.stringify(value) as string | undefined
    if (encoded !== undefined) return text.encode(encoded)
    throw new BadArgumentsError({
      message: `JSON cannot say ${typeof value}; to store no data pass null and leave out \`as\``,
    })
  },
  decode(data: Uint8Array): unknown {
    if (data.length === 0) throw new SyntaxError('the znode has no data, and that is no JSON')
    return JSON.parse(text.decode(data))
  },
}

/**
 * JSON. As it is for values of any shape, or called with a type: `json<Config>()`. The danger: the
 * type is believed, not checked; pass a schema (anything with `parse`) to have it checked.
 *
 * @example
 * await client.create('/config', { shards: 16 }, { as: json })
 * const { data } = await client.get('/config', { as: json<{ shards: number }>() })
 */
export const json: Codec<unknown> & (<T>() => Codec<T>) = Object.freeze(
  Object.assign(<T>(): Codec<T> => jsonCodec as Codec<T>, jsonCodec),
)

/**
 * What is stored for a value: null is no data, but what a codec is named for goes through it.
 *
 * @throws BadArgumentsError when the codec cannot say the value
 */
export const encodeData = <T>(
  value: T | null | undefined,
  as: As<T> | undefined,
): Uint8Array | null => {
  if (as === undefined) return value === null ? null : bytes.encode(value as never)
  const codec = codecOf(as)
  let encoded: unknown
  try {
    encoded = codec.encode(value as T)
  } catch (error) {
    if (error instanceof BadArgumentsError) throw error
    throw new BadArgumentsError({ message: 'the codec refused the value', cause: error })
  }
  refuseLater(encoded)
  if (encoded instanceof Uint8Array) return new Uint8Array(encoded)
  const message = `\`encode\` of the codec gives a Uint8Array, not ${typeof encoded}`
  throw new BadArgumentsError({ message })
}

/** The same for a create, where data may be left out. */
export const encodeNewData = <T>(
  value: T | null | undefined,
  as: As<T> | undefined,
): Uint8Array | null => encodeData(value === undefined && as === undefined ? null : value, as)

/**
 * The value of what is stored.
 *
 * @throws UndecodableError when the codec cannot read the data
 */
export const decodeData = <T>(
  data: Uint8Array | null,
  codec: Codec<T>,
  about: { readonly path: string; readonly zxid?: number },
): T => {
  let decoded: T
  try {
    decoded = codec.decode(new Uint8Array(data ?? []))
  } catch (error) {
    const reason = error instanceof Error ? error.message : `it threw ${typeof error}`
    const message = `the data is not what the codec expects (${reason})`
    throw new UndecodableError({ ...about, message, outcome: 'executed', cause: error })
  }
  refuseLater(decoded)
  return decoded
}

/**
 * The codec that `as` names; {@link bytes} when it names none.
 *
 * @throws BadArgumentsError
 */
export const codecOf = <T>(as: As<T> | undefined): Codec<T> => {
  if (as === undefined) return bytes as unknown as Codec<T>
  // First: a schema may have methods called encode and decode that mean something else.
  const schema = schemaOf(as)
  if (schema !== null) {
    return {
      encode: (value) => jsonCodec.encode(value),
      decode: (data) => schema.parse(jsonCodec.decode(data)),
    }
  }
  if (hasMethod(as, 'encode') && hasMethod(as, 'decode')) return as as Codec<T>
  throw new BadArgumentsError({
    message: 'the option as is a codec (with `encode` and `decode`) or a schema (with `parse`)',
  })
}

/** A schema of either kind, in one shape; null for what is none. */
export const schemaOf = <T>(given: As<T>): SchemaLike<T> | null => {
  if (hasMethod(given, 'parse')) return given as SchemaLike<T>
  const standard = (given as Partial<StandardSchema<T>> | null)?.['~standard']
  return hasMethod(standard, 'validate') ? standardSchema(standard as Standard<T>) : null
}

type Standard<T> = StandardSchema<T>['~standard']

const issuesSaidMax = 3

const standardSchema = <T>(standard: Standard<T>): SchemaLike<T> => ({
  parse(value) {
    const result = standard.validate(value)
    // Refused, as what any codec gives later.
    if (isPromise(result)) return result as T
    if (result.issues === undefined) return result.value
    throw new TypeError(result.issues.slice(0, issuesSaidMax).map(sentenceOf).join('; '))
  },
})

const isPromise = (value: unknown): value is PromiseLike<unknown> => hasMethod(value, 'then')

const sentenceOf = ({ message, path = [] }: StandardIssue): string => {
  const names = path.map((step) => String(typeof step === 'object' ? step.key : step))
  return names.length === 0 ? message : `${names.join('.')}: ${message}`
}

const hasMethod = (value: unknown, name: string): boolean =>
  ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
  typeof (value as Readonly<Record<string, unknown>>)[name] === 'function'

/**
 * A promise would be stored, or given out, in place of what it promises.
 *
 * @throws BadArgumentsError
 */
export const refuseLater = (value: unknown): void => {
  if (!isPromise(value)) return
  void Promise.resolve(value).catch(() => {})
  throw new BadArgumentsError({
    message: 'the codec gave a promise; do what takes time before the write or after the read',
  })
}
