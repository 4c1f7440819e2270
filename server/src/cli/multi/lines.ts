import { acl as aclCommand } from '../commands/acl.js'
import { create, type CreateFlags, createOptions } from '../commands/create.js'
import { deleteZnode } from '../commands/delete.js'
import { set } from '../commands/set.js'
import { type Command, commandRow } from '../command.js'
import { parseWords } from '../parser.js'
import { wholeNumber } from '../parse-options.js'
import { splitWords } from '../split-words.js'
import { UsageError } from '../usage-error.js'
import { versionOption, type VersionFlags } from '../version-option.js'
import type { MultiCondition, MultiPlan, MultiStep, Placed } from './plan.js'

/**
 * Reads a multi of one part a line: fences and conditions first, then the operations.
 *
 *     fence /shards/7/leader 42
 *     if /config version 3
 *     then
 *     set /config new
 *     else
 *     create /conflicts/c- -s
 *
 * @param noun what a line is called in errors
 * @throws UsageError that names the line
 */
export const parseLines = (lines: readonly string[], noun: string): MultiPlan => {
  const reader = new LineReader()
  for (const [i, line] of lines.entries()) {
    const place = `${noun} ${i + 1}`
    atPlace(place, () => {
      if (line.trimStart().startsWith('#')) return
      const [name, ...words] = splitWords(line).map(({ text }) => text)
      if (name !== undefined) reader.read(place, name, words)
    })
  }
  return reader.end()
}

/** @throws UsageError with the place before what it says */
export const atPlace = <T>(place: string, read: () => T): T => {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new UsageError(`${place}: ${error.message}`)
  }
}

class LineReader {
  readonly #fences: Placed<{ path: string; czxid: number }>[] = []
  readonly #conditions: Placed<MultiCondition>[] = []
  readonly #lists = { then: [] as Placed<MultiStep>[], else: [] as Placed<MultiStep>[] }
  /** Which list the operations go to; `head`: none has been seen yet. */
  #section: 'head' | 'then' | 'else' = 'head'

  read(place: string, name: string, words: readonly string[]): void {
    switch (name) {
      case 'fence':
        this.#requireHead('a fence guards the whole multi, so it stands before the operations')
        this.#fences.push({ part: fenceOf(words), place })
        return
      case 'if':
        this.#requireHead('an "if" is asked before anything is done, so it stands at the start')
        this.#conditions.push({ part: conditionOf(words), place })
        return
      case 'then':
      case 'else':
        return this.#begin(name, words)
      default:
        return this.#operation(place, name, words)
    }
  }

  end(): MultiPlan {
    if (this.#conditions.length > 0 && this.#section === 'head') {
      throw new UsageError('write "then", and after it what to do when every "if" holds')
    }
    return { fences: this.#fences, if: this.#conditions, ...this.#lists }
  }

  #begin(section: 'then' | 'else', words: readonly string[]): void {
    if (words.length > 0) throw new UsageError(`"${section}" stands alone; operations follow it`)
    const before = section === 'then' ? 'head' : 'then'
    if (this.#conditions.length === 0 || this.#section !== before) {
      throw new UsageError('the order is: if ..., then, operations, else, operations')
    }
    this.#section = section
  }

  #operation(place: string, name: string, words: readonly string[]): void {
    const read = operations.get(name === deleteZnode.alias ? deleteZnode.name : name)
    if (read === undefined) {
      const known = [...operations.keys(), 'fence', 'if', 'then', 'else'].join(', ')
      throw new UsageError(`there is no operation "${name}", but ${known}`)
    }
    if (this.#section === 'head') {
      if (this.#conditions.length > 0)
        throw new UsageError('write "then" before what is to be done')
      this.#section = 'then'
    }
    this.#lists[this.#section].push({ part: read(words), place })
  }

  #requireHead(sentence: string): void {
    if (this.#section !== 'head') throw new UsageError(sentence)
  }
}

const fenceOf = ([path, czxid, ...more]: readonly string[]) => {
  if (path === undefined || czxid === undefined || more.length > 0) {
    throw new UsageError('a fence is written "fence PATH CZXID"')
  }
  return { path, czxid: wholeNumber('a czxid')(czxid) }
}

const conditionOf = ([path, what = '', value, ...more]: readonly string[]): MultiCondition => {
  const read = conditions.get(what)
  const takesValue = what !== 'exists' && what !== 'missing'
  if (
    path === undefined ||
    read === undefined ||
    (value !== undefined) !== takesValue ||
    more.length > 0
  ) {
    throw new UsageError(
      'an if is written "if PATH exists", "if PATH missing", "if PATH version N", ' +
        '"if PATH data TEXT", "if PATH czxid N" or "if PATH owner SESSION"',
    )
  }
  return { path, ...read(value ?? '') }
}

const conditions = new Map<string, (value: string) => Omit<MultiCondition, 'path'>>([
  ['exists', () => ({ exists: true })],
  ['missing', () => ({ exists: false })],
  ['version', (value) => ({ version: wholeNumber('a version')(value) })],
  ['data', (data) => ({ data })],
  ['czxid', (value) => ({ czxid: wholeNumber('a czxid')(value) })],
  ['owner', (value) => ({ ephemeralOwner: wholeNumber('a session')(value) })],
])

/** Takes the words of a line as the command of that name would. */
const reader =
  <O>(row: Command, make: (words: readonly string[], options: O) => MultiStep) =>
  (words: readonly string[]): MultiStep => {
    const parsed = parseWords(row, words)
    if ('file' in parsed.options || 'parents' in parsed.options || 'recursive' in parsed.options) {
      throw new UsageError('--file, --parents and --recursive have no place in a multi')
    }
    return make(parsed.words, parsed.options as O)
  }

/** A row that exists in a multi only. */
const checkRow = commandRow({
  name: 'check',
  summary: 'the znode must exist and have the version',
  parameters: [{ syntax: '<path>', help: 'of the znode' }],
  options: [versionOption('version')],
  examples: [],
  async *run() {},
  show: () => '',
})
const operations = new Map<string, (words: readonly string[]) => MultiStep>([
  [
    'create',
    reader<CreateFlags>(create, ([at = '', data], flags) => {
      const { kind, ttlMs } = createOptions(flags)
      const entries = flags.acl === undefined ? {} : { acl: [...flags.acl] }
      return { op: 'create', path: at, data, kind, ttlMs, ...entries }
    }),
  ],
  [
    'set',
    reader<VersionFlags>(set, ([at = '', data = ''], { ifVersion }) => ({
      op: 'set',
      path: at,
      data,
      version: ifVersion,
    })),
  ],
  [
    'delete',
    reader<VersionFlags>(deleteZnode, ([at = ''], { ifVersion }) => ({
      op: 'delete',
      path: at,
      version: ifVersion,
    })),
  ],
  [
    'check',
    reader<VersionFlags>(checkRow, ([at = ''], { ifVersion }) => ({
      op: 'check',
      path: at,
      version: ifVersion,
    })),
  ],
  [
    'acl',
    reader<VersionFlags>(aclCommand, ([at = '', ...entries], { ifVersion }) => ({
      op: 'acl',
      path: at,
      acl: entries,
      version: ifVersion,
    })),
  ],
])
