/** The number of bytes of `text` in UTF-8. A lone surrogate counts as the three of U+FFFD. */
export const utf8Length = (text: string): number => {
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) length += 1
    else if (unit < 0x800) length += 2
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      length += 4
      i += 1
    } else length += 3
  }
  return length
}

/** True when `bytes[start..end)` is UTF-8: shortest forms only, no surrogates, none cut off. */
export const isUtf8 = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let at = start; at < end;) {
    const first = bytes[at] as number
    if (first < 0x80) {
      at += 1
      continue
    }
    const tail = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0
    if (tail === 0 || at + tail >= end) return false
    // The second byte tells overlong forms, surrogates and what lies above U+10FFFF.
    const [low, high] = secondByte[first] ?? [0x80, 0xbf]
    const second = bytes[at + 1] as number
    if (second < low || second > high) return false
    for (let i = 2; i <= tail; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return false
    at += tail + 1
  }
  return true
}

const secondByte: Readonly<Record<number, readonly [number, number]>> = {
  0xe0: [0xa0, 0xbf],
  0xed: [0x80, 0x9f],
  0xf0: [0x90, 0xbf],
  0xf4: [0x80, 0x8f],
}

/** `text` in UTF-8; for rooms that have no TextEncoder. Lone surrogates become U+FFFD. */
export const utf8Encode = (text: string): Uint8Array => {
  const encoded = new Uint8Array(utf8Length(text))
  let at = 0
  for (const character of text) {
    const code = wellFormed(character.codePointAt(0) ?? 0)
    if (code < 0x80) encoded[at++] = code
    else {
      const tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3
      encoded[at++] = (leadBits[tail] ?? 0) | (code >> (6 * tail))
      for (let left = tail - 1; left >= 0; left--) {
        encoded[at++] = 0x80 | ((code >> (6 * left)) & 0x3f)
      }
    }
  }
  return encoded
}

const leadBits = [0, 0xc0, 0xe0, 0xf0]
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000
const wellFormed = (code: number): number => (code >= 0xd800 && code < 0xe000 ? 0xfffd : code)
