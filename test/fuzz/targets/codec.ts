import { isDeepStrictEqual } from 'node:util'
import { isUtf8 as nodeIsUtf8 } from 'node:buffer'
import {
  clientFrameSchema,
  isUtf8,
  opTable,
  type Schema,
  serverFrameSchema,
  ShapeError,
} from '@conclave/protocol'
import {
  clientMessages,
  type MessageCodec,
  pack,
  serverMessages,
  unpack,
} from '@conclave/protocol/codec'
import {
  hardStateSchema,
  peerFrameSchema,
  snapshotEntrySchema,
  snapshotHeaderSchema,
  txnSchema,
} from '@conclave/protocol/peer'
import { clientFrameValues, opValues, resultValues, serverFrameValues } from '../grammar.js'
import { type Target, template } from '../target.js'
import { entrySamples, hardStateSample, headerSample, peerSamples, txnSamples } from './samples.js'

const clientSeeds = clientFrameValues.map((frame) => pack([frame]))
const serverSeeds = serverFrameValues.map((frame) => pack([frame]))
const requestSeeds = opValues.map((op) => pack([[2, 1, 0, 0, op]]))

/** @returns null when it is refused, as it should be */
const attempt = <T>(decode: () => T): { readonly value: T } | { readonly refusal: string } => {
  try {
    return { value: decode() }
  } catch (error) {
    if (error instanceof ShapeError) return { refusal: template(error.message) }
    throw error
  }
}

const same = (what: string, a: unknown, b: unknown): void => {
  if (!isDeepStrictEqual(withoutSign(a), withoutSign(b))) {
    throw new Error(`${what} is not what it was`)
  }
}

/** Where any value may stand, -0 may; it is packed as 0, which it is to every reader. */
const withoutSign = (value: unknown): unknown => {
  if (value === 0) return 0
  if (Array.isArray(value)) return value.map(withoutSign)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withoutSign(each)]))
}

/** Any bytes are a value or a refusal, and a value has one encoding that is the value again. */
const values: Target = {
  name: 'codec.values',
  seeds: [...clientSeeds, ...serverSeeds, pack([1, -1, 1.5, 'ä', null, true, new Uint8Array(3)])],
  run(input) {
    const read = attempt(() => unpack(input))
    if ('refusal' in read) return read.refusal
    const packed = pack(read.value)
    // But for -0, which is 0 to every reader, the value is what its encoding says.
    if (!Buffer.from(pack(unpack(packed))).equals(packed)) throw new Error('two encodings')
    const { value } = read
    return Array.isArray(value) ? `a list of ${Math.min(value.length, 9)}` : typeof value
  },
}

const messages = <Frame extends { readonly frame: string }>(
  name: string,
  codec: MessageCodec<Frame>,
  seeds: readonly Uint8Array[],
): Target => ({
  name,
  seeds,
  run(input) {
    const read = attempt(() => codec.decode(input))
    if ('refusal' in read) return read.refusal
    same('a message', codec.decode(codec.encode(read.value)), read.value)
    return read.value
      .map(({ frame }) => frame)
      .slice(0, 3)
      .join()
  },
})

/** Of a schema: what it takes, it gives back, also over the wire. */
const shapes = (
  name: string,
  schemas: readonly (readonly [string, Schema<unknown>])[],
  seeds: readonly unknown[],
): Target => ({
  name,
  seeds: seeds.map((seed) => pack(seed)),
  run(input) {
    const read = attempt(() => unpack(input))
    if ('refusal' in read) return read.refusal
    const signatures: string[] = []
    for (const [schemaName, schema] of schemas) {
      const decoded = attempt(() => schema.decode(read.value, 'value'))
      if ('refusal' in decoded) signatures.push(decoded.refusal)
      else {
        const again = schema.decode(unpack(pack(schema.encode(decoded.value))), 'value')
        same(schemaName, again, decoded.value)
        signatures.push(schemaName)
      }
    }
    return signatures.join('|')
  },
})

const texts: Target = {
  name: 'codec.texts',
  seeds: ['a', 'é', '中', '😀', '/a/b'].map((each) => Buffer.from(each)),
  run(input) {
    const isGood = isUtf8(input, 0, input.length)
    if (isGood !== nodeIsUtf8(input)) throw new Error(`UTF-8 or not? ${isGood}`)
    if (!isGood || input.length > 255) return 'no'
    const text = unpack(Buffer.concat([Buffer.from([0xd9, input.length]), input]))
    same('a text', text, input.toString('utf8'))
    same('its bytes', Buffer.from(text as string), Buffer.from(input))
    return 'yes'
  },
}

const results = Object.entries(opTable).map(
  ([name, { result }]) => [name, result as Schema<unknown>] as const,
)

export const codecTargets: readonly Target[] = [
  values,
  texts,
  messages('codec.clientMessages', clientMessages, [...clientSeeds, ...requestSeeds]),
  messages('codec.serverMessages', serverMessages, serverSeeds),
  shapes(
    'schema.clientFrame',
    [['client', clientFrameSchema as Schema<unknown>]],
    [...clientFrameValues, ...opValues.map((op) => [2, 1, 0, 0, op])],
  ),
  shapes(
    'schema.serverFrame',
    [['server', serverFrameSchema as Schema<unknown>]],
    serverFrameValues,
  ),
  shapes('schema.results', results, resultValues),
  shapes('schema.txn', [['txn', txnSchema as Schema<unknown>]], txnSamples),
  shapes(
    'schema.peerFrame',
    [['peer', peerFrameSchema(txnSchema) as Schema<unknown>]],
    peerSamples,
  ),
  shapes(
    'schema.hardState',
    [['hardState', hardStateSchema as Schema<unknown>]],
    [hardStateSample],
  ),
  shapes(
    'schema.snapshot',
    [
      ['header', snapshotHeaderSchema as Schema<unknown>],
      ['entry', snapshotEntrySchema as Schema<unknown>],
    ],
    [headerSample, ...entrySamples],
  ),
]
