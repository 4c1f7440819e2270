import { posix } from 'node:path'

/** A source file: its path from the repository root, with slashes, and its whole text. */
export type SourceFile = { readonly path: string; readonly text: string }

/** The text twice, same length and same lines as the original. */
export type MaskedText = {
  /** Comments blanked, strings kept. */
  readonly uncommented: string
  /** Comments blanked, and the inside of strings, templates and regular expressions too. */
  readonly code: string
}

const regexMayFollow = /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|of|in|do|else|void))$/

/** Blanks what is not code, so that a rule never trips over a comment or a string. */
export const maskText = (text: string): MaskedText => {
  const uncommented = [...splitUnits(text)]
  const code = [...uncommented]
  const blank = (from: number, to: number, alsoUncommented: boolean): void => {
    for (let at = from; at < Math.min(to, text.length); at++) {
      if (text[at] === '\n') continue
      code[at] = ' '
      if (alsoUncommented) uncommented[at] = ' '
    }
  }
  // Each entry is a template literal that is open around us; its number counts open braces.
  const templates: number[] = []
  let at = 0
  while (at < text.length) {
    const char = text[at]
    const pair = text.slice(at, at + 2)
    if (pair === '//' || pair === '/*') {
      const end = pair === '//' ? endOf(text, '\n', at) : endOf(text, '*/', at + 2) + 2
      blank(at, end, true)
      at = end
    } else if (char === "'" || char === '"') {
      const end = stringEnd(text, at, char)
      blank(at + 1, end, false)
      at = end + 1
    } else if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop()
      const end = templateChunkEnd(text, at + 1)
      blank(at + 1, end, false)
      if (text[end] === '$') templates.push(0)
      at = text[end] === '$' ? end + 2 : end + 1
    } else if (char === '/' && regexMayFollow.test(codeBefore(code, at))) {
      const end = regexEnd(text, at)
      blank(at + 1, end, false)
      at = end + 1
    } else {
      const depth = templates.at(-1)
      if (depth !== undefined && char === '{') templates[templates.length - 1] = depth + 1
      if (depth !== undefined && char === '}') templates[templates.length - 1] = depth - 1
      at++
    }
  }
  return { uncommented: uncommented.join(''), code: code.join('') }
}

/** Every module that a file names: static, dynamic, re-exported, and for types only. */
export const importsOf = (text: string): readonly string[] => {
  const { code } = maskText(text)
  const specifiers: string[] = []
  for (const match of code.matchAll(/(?<![.\w$])(?:from|import\s*\(?)\s*(['"])/g)) {
    specifiers.push(literalAt(text, match.index + match[0].length - 1))
  }
  return specifiers
}

/** The raw text of the string or template literal whose opening quote stands at `at`. */
export const literalAt = (text: string, at: number): string => {
  const quote = text[at] ?? ''
  const end = quote === '`' ? templateWholeEnd(text, at + 1) : stringEnd(text, at, quote)
  return text.slice(at + 1, end)
}

export const lineOf = (text: string, at: number): number => text.slice(0, at).split('\n').length

const packageEntries: Readonly<Record<string, string>> = {
  '@conclave/protocol': 'protocol/src/index.ts',
  '@conclave/protocol/peer': 'protocol/src/peer/index.ts',
  '@conclave/protocol/codec': 'protocol/src/codec/index.ts',
  '@conclave/client': 'client-sdk/src/index.ts',
  '@conclave/client/recipes': 'client-sdk/src/recipes/index.ts',
  '@conclave/server': 'server/src/main.ts',
  '@conclave/server/core': 'server/src/core/replica.ts',
  '@conclave/server/storage': 'server/src/runtime/storage/index.ts',
}

/** The file of this repository that a specifier means, or null for a package from outside. */
export const resolveImport = (specifier: string, importer: string): string | null => {
  if (specifier.startsWith('.')) {
    return posix.join(posix.dirname(importer), specifier).replace(/\.js$/, '.ts')
  }
  return packageEntries[specifier] ?? null
}

// Not `[...text]`, which would split by code point and lose the offsets.
const splitUnits = (text: string): string[] => text.split('')

const codeBefore = (code: readonly string[], at: number): string =>
  code
    .slice(Math.max(0, at - 40), at)
    .join('')
    .trimEnd()

const endOf = (text: string, needle: string, from: number): number => {
  const found = text.indexOf(needle, from)
  return found === -1 ? text.length : found
}

const stringEnd = (text: string, start: number, quote: string): number => {
  let at = start + 1
  while (at < text.length && text[at] !== quote && text[at] !== '\n') {
    at += text[at] === '\\' ? 2 : 1
  }
  return at
}

const templateChunkEnd = (text: string, start: number): number => {
  let at = start
  while (at < text.length && text[at] !== '`' && text.slice(at, at + 2) !== '${') {
    at += text[at] === '\\' ? 2 : 1
  }
  return at
}

const templateWholeEnd = (text: string, start: number): number => {
  let at = start
  while (at < text.length && text[at] !== '`') at += text[at] === '\\' ? 2 : 1
  return at
}

const regexEnd = (text: string, start: number): number => {
  let inClass = false
  let at = start + 1
  while (at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/')) {
    if (text[at] === '[') inClass = true
    if (text[at] === ']') inClass = false
    at += text[at] === '\\' ? 2 : 1
  }
  return at
}
