/** The same bytes in a buffer of their own, so that keeping them does not keep a whole frame. */
export const ownedBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)

/**
 * Makes copies of what is forgotten soon. A buffer of its own costs more than what is short says,
 * to make and to collect; so short bytes lie one behind the other in a buffer that they share. One
 * of them keeps all of it: what is kept for different times needs different makers.
 */
export const passingCopies = (): ((bytes: Uint8Array) => Uint8Array) => {
  let shared = new Uint8Array(sharedBytes)
  let used = 0
  return (bytes) => {
    const { length } = bytes
    if (length > passingBytesMax) return ownedBytes(bytes)
    if (used + length > sharedBytes) {
      shared = new Uint8Array(sharedBytes)
      used = 0
    }
    const copy = new Uint8Array(shared.buffer, used, length)
    copy.set(bytes)
    used += length
    return copy
  }
}

const passingBytesMax = 1_024
const sharedBytes = 8_192
