import { BadArgumentsError, UndecodableError } from './errors.js'

/**
 * Turns values into the bytes of a znode and back. `decode` gets an empty array for a znode without
 * data, and may throw: the call then rejects with {@link UndecodableError}.
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

/** Anything with `parse`, such as a zod schema: data is JSON, and what is read is parsed by it. */
export interface SchemaLike<T> {
  parse(value: unknown): T
}

/** What `as` takes. */
export type As<T> = Codec<T> | SchemaLike<T>

/**
 * Data as it is: the default. What goes in and what comes out are copies, so the caller may use
 * its buffers again at once.
 *
 * @example await client.create('/raw', new Uint8Array([1, 2, 3]), { as: bytes })
 */
export const bytes: Codec<Uint8Array> = Object.freeze({
  encode(value: Uint8Array): Uint8Array {
    if (value instanceof Uint8Array) return new Uint8Array(value)
    throw new BadArgumentsError({ message: 'data is a Uint8Array unless `as` says otherwise' })
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
    throw new BadArgumentsError({ message: `the codec \`json\` cannot say ${typeof value}` })
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

/** The codec that `as` names; {@link bytes} when it names none. */
export const codecOf = <T>(as: As<T> | undefined): Codec<T> => {
  if (as === undefined) return bytes as unknown as Codec<T>
  // First: a schema may have methods called encode and decode that mean something else.
  if ('parse' in as && typeof as.parse === 'function') {
    return {
      encode: (value) => jsonCodec.encode(value),
      decode: (data) => as.parse(jsonCodec.decode(data)),
    }
  }
  if ('encode' in as && 'decode' in as) return as
  throw new BadArgumentsError({ message: '`as` is a codec, or a schema with `parse`' })
}

/** @throws BadArgumentsError when the codec cannot say the value */
export const encodeData = <T>(value: T | null | undefined, as: As<T> | undefined) => {
  if (value === undefined || (value === null && as === undefined)) return null
  const codec = codecOf(as)
  try {
    return codec.encode(value as T)
  } catch (error) {
    if (error instanceof BadArgumentsError) throw error
    throw new BadArgumentsError({ message: 'the codec refused the value', cause: error })
  }
}

/** @throws UndecodableError when the codec cannot read the data */
export const decodeData = <T>(
  data: Uint8Array | null,
  as: As<T> | undefined,
  about: { readonly path: string; readonly zxid?: number },
): T => {
  const codec = codecOf(as)
  try {
    return codec.decode(data ?? new Uint8Array(0))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const message = `the data is not what the codec expects (${reason})`
    throw new UndecodableError({ ...about, message, outcome: 'executed', cause: error })
  }
}
