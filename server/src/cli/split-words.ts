import { UsageError } from './usage-error.js'

/** One word of a line, and how it was written. */
interface Word {
  readonly text: string
  /** Some of it stood in quotes or behind a backslash, so none of its characters is special. */
  readonly isQuoted: boolean
  /** Where it begins in the line. */
  readonly start: number
}

/**
 * Splits a line at its blanks, as a shell does: '...' is taken as it is, "..." knows \n \t \r \\ \"
 * and \xHH, a backslash elsewhere makes the next character an ordinary one.
 *
 * @throws UsageError when a quote is not closed
 */
export const splitWords = (line: string): readonly Word[] => {
  const { words, open } = scanWords(line)
  if (open === null) return words
  throw new UsageError(
    open === '\\' ? 'a backslash stands at the end of the line' : `a quote ${open} is not closed`,
  )
}

/** The same for a line that is not finished: a quote may be open at its end. */
export const scanWords = (
  line: string,
): { readonly words: readonly Word[]; readonly open: '"' | "'" | '\\' | null } => {
  const words: Word[] = []
  let word: { text: string; isQuoted: boolean; start: number } | null = null
  let at = 0
  while (at < line.length) {
    const character = line.charAt(at)
    if (/\s/.test(character)) {
      if (word !== null) words.push(word)
      word = null
      at += 1
      continue
    }
    word ??= { text: '', isQuoted: false, start: at }
    const piece = pieceAt(line, at)
    word.text += piece.text
    word.isQuoted ||= piece.isQuoted
    at = piece.end
    if (piece.open !== null) return { words: [...words, word], open: piece.open }
  }
  if (word !== null) words.push(word)
  return { words, open: null }
}

/** Writes a text so that it is read as one word. */
export const quoteWord = (text: string): string =>
  /^[^\s'"\\&#]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`

interface Piece {
  readonly text: string
  readonly isQuoted: boolean
  readonly end: number
  readonly open: '"' | "'" | '\\' | null
}

const pieceAt = (line: string, at: number): Piece => {
  const character = line.charAt(at)
  if (character === "'") {
    const close = line.indexOf("'", at + 1)
    const end = close === -1 ? line.length : close
    const open = close === -1 ? "'" : null
    return { text: line.slice(at + 1, end), isQuoted: true, end: end + 1, open }
  }
  if (character === '"') return doubleQuoted(line, at + 1)
  if (character !== '\\') return { text: character, isQuoted: false, end: at + 1, open: null }
  const open = at + 1 === line.length ? '\\' : null
  return { text: line.charAt(at + 1), isQuoted: true, end: at + 2, open }
}

const doubleQuoted = (line: string, start: number): Piece => {
  let text = ''
  let at = start
  while (at < line.length) {
    const character = line.charAt(at)
    if (character === '"') return { text, isQuoted: true, end: at + 1, open: null }
    if (character !== '\\') {
      text += character
      at += 1
      continue
    }
    const hex = /^x([0-9a-f]{2})/i.exec(line.slice(at + 1, at + 4))?.[1]
    const next = line.charAt(at + 1)
    text += hex === undefined ? (escapes.get(next) ?? next) : String.fromCharCode(parseInt(hex, 16))
    at += hex === undefined ? 2 : 4
  }
  return { text, isQuoted: true, end: line.length, open: '"' }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
])
