/** Protocol Buffers' wire format for the few fields of etcd's messages that a generator needs. */
export const varintField = (field: number, value: number): Buffer =>
  Buffer.concat([Buffer.from([field << 3]), varint(value)])

export const bytesField = (field: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.from([(field << 3) | lengthDelimited]), varint(value.length), value])

export const message = (...fields: readonly Buffer[]): Buffer => Buffer.concat(fields)

/**
 * Looks for one field of a message.
 * @returns its value, a number or where its bytes are; the last one, as the format has it
 */
export const fieldOf = (bytes: Buffer, range: Range, field: number): FieldValue | null => {
  let found: FieldValue | null = null
  let at = range.from
  while (at < range.to) {
    const [key, afterKey] = readVarint(bytes, at)
    const [value, afterValue] = readVarint(bytes, afterKey)
    const isBytes = (key & 7) === lengthDelimited
    const end = isBytes ? afterValue + value : afterValue
    if (key >>> 3 === field) found = { number: value, from: afterValue, to: end }
    at = end
  }
  return found
}

/** Part of a buffer. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** The number, of a varint; the range, of bytes or a message. */
export interface FieldValue extends Range {
  readonly number: number
}

const readVarint = (bytes: Buffer, from: number): readonly [number, number] => {
  let value = 0
  let factor = 1
  for (let at = from; ; at++) {
    const byte = bytes[at]
    if (byte === undefined) throw new Error('a message of etcd is cut off')
    value += (byte & 0x7f) * factor
    if (byte < 0x80) return [value, at + 1]
    factor *= 128
  }
}

const varint = (value: number): Buffer => {
  const bytes: number[] = []
  let left = value
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80)
  return Buffer.from([...bytes, left])
}

const lengthDelimited = 2
