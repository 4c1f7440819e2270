import type { Command } from '../command.js'
import { commandNamed } from '../commands/table.js'
import { isPrintable } from '../output/escape.js'
import { scanWords } from '../split-words.js'
import { treePath } from '../tree-path.js'
import { builtinNamed, shellNames } from './builtins.js'

export interface CompletionChild {
  readonly name: string
  readonly hasChildren: boolean
}

interface CompletionSource {
  /** Where relative paths start. */
  readonly place: string
  /** Children of a znode; rejects when it cannot be known. */
  readonly children: (path: string) => Promise<readonly CompletionChild[]>
}

/** What may stand at the end of the line, and the part of the line it would replace. */
export interface Completion {
  readonly hits: readonly string[]
  readonly fragment: string
}

/** Completes the last word of a line: a command, an option, or a path of the tree. */
export const complete = async (line: string, source: CompletionSource): Promise<Completion> => {
  const { words, open } = scanWords(line)
  const isNewWord = words.length === 0 || (open === null && /\s$/.test(line))
  const before = isNewWord ? words : words.slice(0, -1)
  const current = isNewWord ? undefined : words.at(-1)
  const text = current?.text ?? ''
  const fragment = current === undefined ? '' : line.slice(current.start)
  const [first] = before
  if (first === undefined || first.text === 'help') {
    return {
      hits: shellNames()
        .filter((name) => name.startsWith(text))
        .map(spaced),
      fragment,
    }
  }
  const row = commandNamed(first.text)
  if (text.startsWith('-')) {
    return {
      hits: optionsOf(row)
        .filter((flag) => flag.startsWith(text))
        .map(spaced),
      fragment,
    }
  }
  const operands = before.slice(1).filter((word) => !word.text.startsWith('-')).length
  const takesPath =
    builtinNamed(first.text)?.takesPath === true ||
    row?.parameters.some(({ isPath }) => isPath === true) === true
  if (!takesPath || operands > 0) return { hits: [], fragment }
  return { hits: await pathHits(text, fragment, source), fragment }
}

const spaced = (hit: string): string => `${hit} `

const optionsOf = (row: Command | undefined): readonly string[] =>
  (row === undefined ? [] : [...row.options.map(({ flags }) => flags), '--json', '--timeout']).map(
    (flags) => /--[\w-]+/.exec(flags)?.[0] ?? flags,
  )

const pathHits = async (
  text: string,
  fragment: string,
  { place, children }: CompletionSource,
): Promise<readonly string[]> => {
  const slash = text.lastIndexOf('/') + 1
  const parent = text.slice(0, slash)
  const prefix = text.slice(slash)
  const found = await children(treePath(parent === '' ? '.' : parent, place))
  const fitting = found
    .filter(({ name }) => name.startsWith(prefix) && isPrintable(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const [only] = fitting
  const written = writer(fragment)
  if (fitting.length !== 1 || only === undefined) {
    return fitting.map(({ name }) => written(parent + name))
  }
  return [written(parent + only.name) + (only.hasChildren ? '/' : ' ')]
}

/** Writes a path as the word that is being written, in its quotes or with backslashes. */
const writer = (fragment: string): ((path: string) => string) => {
  const quote = /^["']/.exec(fragment)?.[0]
  if (quote !== undefined) return (path) => quote + path
  return (path) => path.replace(/[\s'"\\&#]/g, String.raw`\$&`)
}
