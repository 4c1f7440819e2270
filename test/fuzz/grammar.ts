import { clientFrameSchema, opTable, opSchema, serverFrameSchema } from '@conclave/protocol'
import type { Schema } from '@conclave/protocol'
import { clientFrames, ops, results, serverFrames } from '../protocol/samples.js'
import type { Dice } from './dice.js'
import { anyText, mutatedValue } from './mutate.js'

type WireValue = readonly unknown[]

const encodeAll = <T>(schema: Schema<T>, samples: Readonly<Record<string, T>>): WireValue[] =>
  Object.values(samples).map((each) => schema.encode(each) as WireValue)

/** One of each as the wire has it; whoever adds an operation adds its sample. */
export const opValues = encodeAll(opSchema, ops as never)
export const clientFrameValues = encodeAll(clientFrameSchema, clientFrames as never)
export const serverFrameValues = encodeAll(serverFrameSchema, serverFrames as never)
export const resultValues = Object.entries(opTable).map(([name, { result }]) =>
  (result as Schema<unknown>).encode(results[name as keyof typeof results]),
)

const missing = Object.keys(opTable).filter((name) => !(name in ops))
if (missing.length > 0) throw new Error(`no sample of ${missing.join(', ')}`)

const parts: readonly unknown[] = [...opValues, ...opValues.flat(), ...clientFrameValues.flat()]

const rows = Object.values(opTable) as unknown as readonly {
  readonly tag: number
  readonly fields: Readonly<Record<string, Schema<unknown>>>
}[]

/**
 * An operation that can be decoded: each field is one that its schema takes. What a field is for
 * is not known here, so a new operation is fuzzed as soon as it has a row.
 */
export const goodOp = (dice: Dice): WireValue => {
  const { tag, fields } = dice.pick(rows)
  const sample = opValues.find(([number]) => number === tag) as WireValue
  return [tag, ...Object.values(fields).map((field, i) => goodField(dice, field, sample[i + 1]))]
}

const goodField = (dice: Dice, field: Schema<unknown>, sample: unknown): unknown => {
  for (let tries = 0; tries < 4; tries++) {
    const value = candidate(dice, sample)
    try {
      field.decode(value, 'field')
      return value
    } catch {
      // Another one.
    }
  }
  return sample
}

const candidate = (dice: Dice, sample: unknown): unknown => {
  if (typeof sample === 'string' && !dice.once(5)) {
    return sample.startsWith('/') ? dice.pick(paths) : dice.pick([sample, anyText(dice)])
  }
  if (typeof sample === 'number' && !dice.once(4)) return dice.pick([-1, 0, 1, 2, 3, 7, 100])
  if (typeof sample === 'boolean') return dice.once(2)
  if (Array.isArray(sample) && !dice.once(4)) {
    return sample.map((each) => (dice.once(2) ? each : candidate(dice, each)) as unknown)
  }
  return dice.once(2) ? sample : mutatedValue(dice, sample, parts)
}

const paths = ['/', '/fuzz', '/fuzz/a', '/fuzz/b', '/fuzz/a/c', '/fuzz/a/d', '/fuzz/c', '/absent']

/** A frame of a client, nearly always one that can be decoded. */
export const clientFrame = (dice: Dice, xid: number): WireValue => {
  const frame = dice.once(4)
    ? dice.pick(clientFrameValues)
    : [2, xid, dice.once(3) ? Math.max(0, xid - dice.below(10)) : 0, 0, goodOp(dice)]
  return dice.once(10) ? (mutatedValue(dice, frame, parts) as WireValue) : frame
}

export const anyFrameValue = (dice: Dice): unknown =>
  dice.pick([...clientFrameValues, ...serverFrameValues, ...opValues])
