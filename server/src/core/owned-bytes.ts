/** The same bytes in a buffer of their own, so that keeping them does not keep a whole frame. */
export const ownedBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)

/**
 * The same for what is forgotten soon. A buffer of its own costs more than what is short says, to
 * make and to collect; so short bytes lie one behind the other in a buffer that they share.
 */
export const passingBytes = (bytes: Uint8Array): Uint8Array => {
  const { length } = bytes
  if (length > passingBytesMax) return ownedBytes(bytes)
  if (sharedUsed + length > shared.length) {
    shared = new Uint8Array(sharedBytes)
    sharedUsed = 0
  }
  const copy = new Uint8Array(shared.buffer, sharedUsed, length)
  copy.set(bytes)
  sharedUsed += length
  return copy
}

const passingBytesMax = 1_024
const sharedBytes = 8_192
let shared = new Uint8Array(sharedBytes)
let sharedUsed = 0
