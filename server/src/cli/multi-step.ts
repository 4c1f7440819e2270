import {
  type Acl,
  type CreateKindName,
  type NameRef,
  permissions,
  ref,
  type Transaction,
} from '@conclave/client'
import { z } from 'zod'
import { create, type CreateFlags, createOptions } from './commands/create.js'
import { deleteZnode } from './commands/delete.js'
import { set } from './commands/set.js'
import { acl as aclCommand } from './commands/acl.js'
import { type Command, type CommandContext, commandRow, type PathKind } from './command.js'
import { parseAcl } from './output/acl.js'
import { parseWords } from './parser.js'
import { wholeNumber } from './parse-options.js'
import { splitWords } from './split-words.js'
import { UsageError } from './usage-error.js'
import { versionOption, type VersionFlags } from './version-option.js'

/** One operation of a multi, as written. `$0/state` in a path names what operation 0 made. */
export type MultiStep = z.infer<typeof stepSchema>

/** Reads the text of a multi: a JSON array, or one operation a line. */
export const parseMulti = (text: string): readonly MultiStep[] =>
  notEmpty(text.trimStart().startsWith('[') ? parseJson(text) : parseLines(text.split('\n')))

/** Reads a multi of one operation a word. */
export const parseOperations = (words: readonly string[]): readonly MultiStep[] =>
  notEmpty(parseLines(words))

const notEmpty = (steps: readonly MultiStep[]): readonly MultiStep[] => {
  if (steps.length > 0) return steps
  throw new UsageError('a multi has at least one operation')
}

/** Adds the steps to a transaction, in their order; their results will be in it too. */
export const addSteps = (
  transaction: Transaction,
  steps: readonly MultiStep[],
  context: Pick<CommandContext, 'path'>,
): Transaction<readonly unknown[]> => {
  for (const step of steps) {
    const isPrefix = step.op === 'create' && /sequential/i.test(step.kind ?? '')
    addStep(transaction, step, (text) => pathOf(text, context, { isPrefix }))
  }
  return transaction
}

/** Whether the step has a place in the results. */
export const hasResult = ({ op }: MultiStep): boolean => op !== 'check' && op !== 'fence'

const path = z.string().min(1)
const version = z.int().nonnegative().optional()
const payload = {
  data: z.string().optional(),
  /** Bytes that are no text. */
  dataBase64: z.base64().optional(),
  /** The path that an earlier create made, as data. */
  dataRef: z.int().nonnegative().optional(),
}
const aclEntry = z.strictObject({
  scheme: z.enum(['world', 'auth', 'digest', 'ip']),
  id: z.string(),
  permissions: z.int().min(1).max(permissions.all),
})
const acl = z.array(z.union([z.string(), aclEntry]))
const kinds = [
  'persistent',
  'sequential',
  'ephemeral',
  'persistentSequential',
  'ephemeralSequential',
  'container',
  'ttl',
  'ttlSequential',
] as const satisfies readonly CreateKindName[]

const stepSchema = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('create'),
    path,
    ...payload,
    kind: z.enum(kinds).optional(),
    ttlMs: z.int().positive().optional(),
    acl: acl.optional(),
  }),
  z.strictObject({ op: z.literal('set'), path, ...payload, version }),
  z.strictObject({ op: z.literal('delete'), path, version }),
  z.strictObject({ op: z.literal('check'), path, version }),
  z.strictObject({ op: z.literal('acl'), path, acl, version }),
  z.strictObject({ op: z.literal('fence'), path, czxid: z.int().positive() }),
])

const parseJson = (text: string): readonly MultiStep[] => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`the multi begins with [ but is no JSON: ${(error as Error).message}`)
  }
  const parsed = z.array(stepSchema).safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const [index, ...rest] = issue?.path ?? []
  const place = index === undefined ? '' : `operation ${Number(index) + 1}`
  throw new UsageError(
    `${[place, rest.join('.')].filter((part) => part !== '').join(', ')}: ${issue?.message ?? ''}`,
  )
}

const parseLines = (lines: readonly string[]): readonly MultiStep[] =>
  lines.flatMap((line, index): readonly MultiStep[] => {
    const [name, ...words] = splitWords(line).map(({ text }) => text)
    if (name === undefined || line.trimStart().startsWith('#')) return []
    const read = lineReaders.get(name)
    const known = [...lineReaders.keys()].join(', ')
    try {
      if (read === undefined) throw new UsageError(`there is no operation "${name}", but ${known}`)
      return [read(words)]
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      throw new UsageError(`line ${index + 1}: ${error.message}`)
    }
  })

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
const fenceRow = commandRow({
  name: 'fence',
  summary: 'this very znode must still exist',
  parameters: [
    { syntax: '<path>', help: 'of the grant' },
    { syntax: '<czxid>', help: 'its token' },
  ],
  options: [],
  examples: [],
  async *run() {},
  show: () => '',
})

const lineReaders = new Map<string, (words: readonly string[]) => MultiStep>([
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
  [
    'fence',
    reader(fenceRow, ([at = '', czxid = '']) => ({
      op: 'fence',
      path: at,
      czxid: wholeNumber('a czxid')(czxid),
    })),
  ],
])

const addStep = (
  transaction: Transaction,
  step: MultiStep,
  at: (text: string) => string | NameRef,
): void => {
  switch (step.op) {
    case 'create': {
      const { kind, ttlMs } = step
      const entries = step.acl === undefined ? {} : { acl: aclOf(step.acl) }
      transaction.create(at(step.path), dataOf(step), { kind, ttlMs, ...entries })
      return
    }
    case 'set':
      transaction.set(at(step.path), dataOf(step), { version: step.version })
      return
    case 'delete':
      transaction.delete(at(step.path), { version: step.version })
      return
    case 'check':
      transaction.check(at(step.path), { version: step.version })
      return
    case 'acl':
      transaction.setAcl(at(step.path), aclOf(step.acl), { version: step.version })
      return
    case 'fence': {
      const guarded = at(step.path)
      if (typeof guarded !== 'string') throw new UsageError('a fence names a path, not a reference')
      transaction.add({ path: guarded, czxid: step.czxid })
    }
  }
}

const pathOf = (
  text: string,
  context: Pick<CommandContext, 'path'>,
  kind: PathKind,
): string | NameRef => {
  const [, index, suffix = ''] = /^\$(\d+)(\/.*)?$/s.exec(text) ?? []
  return index === undefined ? context.path(text, kind) : ref(Number(index), suffix)
}

const dataOf = ({ data, dataBase64, dataRef }: Payload): Uint8Array | NameRef | null => {
  if ([data, dataBase64, dataRef].filter((given) => given !== undefined).length > 1) {
    throw new UsageError('only one of data, dataBase64 and dataRef can be meant')
  }
  if (dataRef !== undefined) return ref(dataRef)
  if (dataBase64 !== undefined) return new Uint8Array(Buffer.from(dataBase64, 'base64'))
  return data === undefined ? null : new TextEncoder().encode(data)
}

const aclOf = (entries: z.infer<typeof acl>): Acl =>
  entries.flatMap((entry) => (typeof entry === 'string' ? parseAcl([entry]) : [entry]))

interface Payload {
  readonly data?: string | undefined
  readonly dataBase64?: string | undefined
  readonly dataRef?: number | undefined
}
