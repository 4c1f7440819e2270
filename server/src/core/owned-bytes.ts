/** The same bytes in a buffer of their own, so that keeping them does not keep a whole frame. */
export const ownedBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
