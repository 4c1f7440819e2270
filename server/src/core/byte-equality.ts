/** True when both hold the same bytes; null is empty. */
export const sameBytes = (a: Uint8Array | null, b: Uint8Array | null): boolean => {
  const length = a?.length ?? 0
  if (length !== (b?.length ?? 0)) return false
  for (let i = 0; i < length; i++) if (a?.[i] !== b?.[i]) return false
  return true
}

/** Bytes as a key of a Map or Set: equal for equal bytes and for no others. For short ones. */
export const bytesKey = (bytes: Uint8Array): string => {
  let key = ''
  for (const byte of bytes) key += String.fromCharCode(byte)
  return key
}
