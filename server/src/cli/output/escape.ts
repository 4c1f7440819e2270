/**
 * Text that others wrote (paths, data, error texts), made fit for one line of a terminal: nothing
 * in it moves the cursor, changes colours or turns the direction of writing.
 */
export const escapeText = (text: string): string =>
  text.replace(unsafe, (character) => escaped(character))

/** The same for a text of several lines: it keeps its line ends and tabs. */
export const escapeBlock = (text: string): string =>
  text.replace(unsafe, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  )

/** True when the text can be shown as it is, line ends and tabs included. */
export const isPrintable = (text: string): boolean => escapeBlock(text) === text

/** JSON in which no character can do harm either; it reads back as the same value. */
export const safeJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    unsafe,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  )

/** C0, DEL and C1, line separators, lone surrogates, and what steers the direction of writing. */
const unsafe =
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\p{Cs}]/gu

const short: ReadonlyMap<string, string> = new Map([
  ['\n', String.raw`\n`],
  ['\r', String.raw`\r`],
  ['\t', String.raw`\t`],
])

const escaped = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16)
  return short.get(character) ?? (code < 256 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`)
}
