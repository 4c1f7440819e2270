import { escapeText, isPrintable } from './escape.js'

/** The text that the bytes are in UTF-8, or null when they are none or not fit to be shown. */
export const textOf = (data: Uint8Array): string | null => {
  const text = utf8Of(data)
  return text !== null && isPrintable(text) ? text : null
}

/** How JSON shows bytes: as text when they are UTF-8, in base64 otherwise; it says which. */
export const bytesForJson = (
  data: Uint8Array,
): { readonly data: string; readonly encoding: 'utf8' | 'base64' } => {
  const text = utf8Of(data)
  if (text !== null) return { data: text, encoding: 'utf8' }
  return { data: Buffer.from(data).toString('base64'), encoding: 'base64' }
}

/** Data on one line, cut to about `charactersMax`; what is no text in hexadecimal. */
export const bytesInline = (data: Uint8Array, charactersMax = 60): string => {
  const text = textOf(data)
  if (text === null) {
    const shown = Buffer.from(data.subarray(0, charactersMax / 2)).toString('hex')
    return `0x${shown}${data.length * 2 > charactersMax ? '…' : ''}`
  }
  const characters = Array.from(text.slice(0, charactersMax * 2))
  const isCut = characters.length > charactersMax
  return escapeText(characters.slice(0, charactersMax).join('')) + (isCut ? '…' : '')
}

/** Bytes that are no text, sixteen a line, as hexdump shows them. */
export const hexDump = (data: Uint8Array, bytesMax = 1_024): readonly string[] => {
  const lines: string[] = []
  for (let at = 0; at < Math.min(data.length, bytesMax); at += 16) {
    const row = data.subarray(at, Math.min(at + 16, bytesMax))
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const text = Array.from(row, (byte) =>
      byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.',
    )
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  |${text.join('')}|`)
  }
  if (data.length > bytesMax) lines.push(`… ${data.length - bytesMax} bytes more`)
  return lines
}

const utf8Of = (data: Uint8Array): string | null => {
  try {
    // Without this option a byte order mark at the start would be lost.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return null
  }
}
