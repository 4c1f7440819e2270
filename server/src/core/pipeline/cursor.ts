/**
 * A cursor is opaque to clients: the ordinals at which a walk goes on, one a level, seven bytes
 * each.
 */
export const encodeCursor = (ordinals: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(ordinals.length * width)
  for (const [i, ordinal] of ordinals.entries()) {
    let rest = ordinal + 1 // -1 is "before the first"
    for (let at = width - 1; at >= 0; at--) {
      bytes[i * width + at] = rest % 256
      rest = Math.floor(rest / 256)
    }
  }
  return bytes
}

/** @returns null when no server made these bytes */
export const decodeCursor = (
  bytes: Uint8Array,
  levels: { min: number; max: number },
): number[] | null => {
  const count = bytes.length / width
  if (!Number.isInteger(count) || count < levels.min || count > levels.max) return null
  const ordinals: number[] = []
  for (let i = 0; i < count; i++) {
    let ordinal = 0
    for (let at = 0; at < width; at++) ordinal = ordinal * 256 + (bytes[i * width + at] as number)
    if (!Number.isSafeInteger(ordinal)) return null
    ordinals.push(ordinal - 1)
  }
  return ordinals
}

const width = 7
