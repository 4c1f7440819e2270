import { builtinModules } from 'node:module'
import type { SourceFile } from './source-text.js'
import { importsOf, lineOf, maskText, resolveImport } from './source-text.js'

/** What breaks a rule, as one line a person can act on. */
export type Offence = string

const corePrefix = 'server/src/core/'
const protocolRooms = ['protocol', 'protocol/peer'] as const
const coreRooms = ['core/zab', 'core/pipeline', 'core/session', 'core/tree', 'core/watch'] as const

/** The house plan: what each room may import besides itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol/peer'],
  'protocol/peer': ['protocol'],
  'protocol/codec': protocolRooms,
  'client/machine': ['protocol'],
  'client/inside': ['protocol', 'protocol/codec', 'client', 'client/machine'],
  client: ['protocol', 'protocol/codec', 'client/inside', 'client/machine', 'client/recipes'],
  'client/recipes': ['protocol', 'client'],
  'core/zab': [...protocolRooms, 'core'],
  'core/tree': [...protocolRooms, 'core'],
  'core/session': [...protocolRooms, 'core'],
  'core/watch': [...protocolRooms, 'core'],
  'core/pipeline': [...protocolRooms, 'core', 'core/tree', 'core/session', 'core/watch'],
  core: [...protocolRooms, ...coreRooms],
  runtime: [...protocolRooms, 'protocol/codec', 'core', ...coreRooms],
  main: [...protocolRooms, 'core', ...coreRooms, 'runtime'],
  cli: [...protocolRooms, 'client', 'client/recipes', 'runtime', 'main'],
}

const mayImportPackages: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  'protocol/peer': [],
  'protocol/codec': ['msgpackr'],
  'client/machine': [],
  core: [],
  ...Object.fromEntries(coreRooms.map((room) => [room, []])),
}

/** HOUSE-1: the arrows between the rooms. */
export const checkArrows = (files: readonly SourceFile[]): readonly Offence[] => {
  const texts = new Map(files.map((file) => [file.path, file.text]))
  const machine = machineFiles(files)
  const roomOf = (path: string): string => (machine.has(path) ? 'client/machine' : plainRoom(path))
  const offences: Offence[] = []
  for (const file of files) {
    const room = roomOf(file.path)
    if (mayImport[room] === undefined)
      offences.push(`${file.path}: "${room}" is no room of the plan`)
    for (const specifier of importsOf(file.text)) {
      const target = resolveImport(specifier, file.path)
      const fault =
        target === null
          ? packageFault(room, specifier)
          : arrowFault({ texts, roomOf, importer: file.path, specifier, target })
      if (fault !== null) offences.push(`${file.path}: imports '${specifier}': ${fault}`)
    }
  }
  return offences
}

const plainRoom = (path: string): string => {
  const [, workspace = '', rest = ''] = /^(protocol|client-sdk|server)\/src\/(.*)$/.exec(path) ?? []
  const folder = rest.includes('/') ? rest.slice(0, rest.indexOf('/')) : ''
  if (workspace === 'protocol') return folder === '' ? 'protocol' : `protocol/${folder}`
  if (workspace === 'client-sdk') {
    if (rest.startsWith('session/machine')) return 'client/machine'
    if (folder === 'session' || folder === 'transport') return 'client/inside'
    return folder === 'recipes' ? 'client/recipes' : 'client'
  }
  if (workspace !== 'server') return path
  if (folder !== 'core') return folder === '' ? 'main' : folder
  const inner = rest.slice('core/'.length)
  return inner.includes('/') ? `core/${inner.slice(0, inner.indexOf('/'))}` : 'core'
}

/** The session machine is machine*.ts and whatever of its own folder that pulls in. */
const machineFiles = (files: readonly SourceFile[]): ReadonlySet<string> => {
  const folder = 'client-sdk/src/session/'
  const texts = new Map(files.map((file) => [file.path, file.text]))
  const found = new Set<string>()
  const visit = (path: string): void => {
    if (found.has(path) || !path.startsWith(folder)) return
    found.add(path)
    for (const specifier of importsOf(texts.get(path) ?? ''))
      visit(resolveImport(specifier, path) ?? '')
  }
  for (const { path } of files) if (path.startsWith(`${folder}machine`)) visit(path)
  return found
}

const packageFault = (room: string, specifier: string): string | null => {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  if (name.startsWith('#')) return 'the # names are for tests'
  if (name.startsWith('@conclave')) return 'no such entry of that package'
  if (name === 'msgpackr' && room !== 'protocol/codec') return 'only protocol/codec may'
  const allowed = mayImportPackages[room]
  return allowed === undefined || allowed.includes(name) ? null : `${room} may not`
}

type Arrow = {
  readonly texts: ReadonlyMap<string, string>
  readonly roomOf: (path: string) => string
  readonly importer: string
  readonly specifier: string
  readonly target: string
}

const arrowFault = ({ texts, roomOf, importer, specifier, target }: Arrow): string | null => {
  if (specifier.startsWith('.') && target.split('/')[0] !== importer.split('/')[0]) {
    return 'name the package, not a path into it'
  }
  const from = roomOf(importer)
  const to = roomOf(target)
  const allowed = [from, ...(mayImport[from] ?? [])]
  if (!allowed.includes(to)) return `${from} may not import ${to}`
  if (from.startsWith('core/') && to === 'core') {
    // A file directly under core/ may serve a room only if it wires nothing foreign to that room.
    for (const room of roomsBehind(texts, target)) {
      if (room !== 'core' && !allowed.includes(room)) return `that leads ${from} to ${room}`
    }
  }
  return null
}

const roomsBehind = (texts: ReadonlyMap<string, string>, start: string): ReadonlySet<string> => {
  const rooms = new Set<string>()
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    rooms.add(plainRoom(path))
    if (plainRoom(path) !== 'core') return
    for (const specifier of importsOf(texts.get(path) ?? '')) {
      const target = resolveImport(specifier, path)
      if (target !== null) visit(target)
    }
  }
  visit(start)
  return rooms
}

const impure: readonly RegExp[] = [
  /(?<![.\w$])Date\s*\.\s*now\b/g,
  /(?<![.\w$])Math\s*\.\s*random\b/g,
  /(?<![.\w$])new\s+Date\b/g,
  /(?<![.\w$])(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/g,
  /(?<![.\w$])(?:async|await|Promise|performance)\b/g,
  /(?<![.\w$])(?:process|console)\s*\./g,
]

/** HOUSE-2: no clock, no dice, no place and no waiting inside the fence. */
export const checkFence = (files: readonly SourceFile[]): readonly Offence[] => {
  const machine = machineFiles(files)
  const isInside = ({ path }: SourceFile): boolean =>
    path.startsWith(corePrefix) ||
    machine.has(path) ||
    (path.startsWith('protocol/src/') && !path.startsWith('protocol/src/codec/'))
  return files.filter(isInside).flatMap((file) => matches(file, maskText(file.text).code, impure))
}

const oneVoterTests: readonly RegExp[] = [
  /voters?\w*\s*\.\s*(?:length|size)\s*[=!<>]=*\s*[12]\b/gi,
  /(?<![\w$.])[12]\s*[=!<>]=*\s*[\w$.]*voters?\w*\s*\.\s*(?:length|size)\b/gi,
  /quorum\w*(?:\s*\.\s*\w+)?\s*[=!]==?\s*1\b/gi,
  /standalone/gi,
]

/** HOUSE-3: a single server is a quorum of one, so nothing may ask whether there is only one. */
export const checkOneVoter = (files: readonly SourceFile[]): readonly Offence[] =>
  files
    .filter(({ path }) => path.startsWith(corePrefix))
    .flatMap((file) => matches(file, maskText(file.text).uncommented, oneVoterTests))

/** No file needs, by way of others, itself: each can be read after what it imports. */
export const checkCircles = (files: readonly SourceFile[]): readonly Offence[] => {
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  const done = new Set<string>()
  const offences: Offence[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const text = texts.get(path)
    if (text === undefined || done.has(path)) return
    const at = trail.indexOf(path)
    if (at !== -1) {
      offences.push(`a circle of imports: ${[...trail.slice(at), path].join(' -> ')}`)
      return
    }
    for (const specifier of importsOf(text)) {
      const target = resolveImport(specifier, path)
      if (target !== null) visit(target, [...trail, path])
    }
    done.add(path)
  }
  for (const { path } of files) visit(path, [])
  return offences
}

export const fileLinesMax = 400
export const lineColumnsMax = 100

const banned: readonly RegExp[] = [
  /(?<![.\w$])export\s+default\b|(?<![.\w$])as\s+default\b/g,
  /(?<![.\w$])enum\s+[A-Za-z_$]/g,
  /(?<![.\w$])(?:namespace|module)\s+[A-Za-z_$][\w$.]*\s*\{/g,
  /(?<![.\w$])any(?![\w$]|\s*[:(?=])/g,
]

/** HOUSE-4: sizes, and the parts of the language this house does without. */
export const checkShape = (files: readonly SourceFile[]): readonly Offence[] =>
  files.flatMap((file) => {
    const lines = file.text.replace(/\n$/, '').split('\n')
    const tooWide = lines.flatMap((line, index) =>
      line.length > lineColumnsMax
        ? [`${file.path}:${index + 1}: ${line.length} columns, at most ${lineColumnsMax}`]
        : [],
    )
    const tooLong =
      lines.length > fileLinesMax
        ? [`${file.path}: ${lines.length} lines, at most ${fileLinesMax}`]
        : []
    return [...tooLong, ...tooWide, ...matches(file, maskText(file.text).code, banned)]
  })

const nodeOnly: readonly RegExp[] = [/(?<![.\w$])Buffer\b/g, /(?<![.\w$])process\s*\./g]

/** HOUSE-5: what a browser loads needs nothing of Node. */
export const checkBrowserGraph = (files: readonly SourceFile[]): readonly Offence[] => {
  const texts = new Map(files.map((file) => [file.path, file.text]))
  const offences: Offence[] = []
  const seen = new Set<string>()
  const visit = (path: string, importer: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    const text = texts.get(path)
    if (text === undefined) {
      offences.push(`${path}: missing, wanted by ${importer}`)
      return
    }
    offences.push(...matches({ path, text }, maskText(text).code, nodeOnly))
    for (const specifier of importsOf(text)) {
      const target = resolveImport(specifier, path)
      if (target !== null) visit(target, path)
      else if (isNodeOnlyPackage(specifier)) offences.push(`${path}: imports '${specifier}'`)
    }
  }
  visit('client-sdk/src/browser.ts', 'every browser')
  return offences
}

const isNodeOnlyPackage = (specifier: string): boolean =>
  specifier === 'ws' || specifier.startsWith('node:') || builtinModules.includes(specifier)

const sourceFolders = ['protocol', 'client-sdk', 'server', 'bench', 'test', 'docs'] as const
const sourceExtension = /\.(?:[cm]?[jt]s|[jt]sx)$/

/** HOUSE-7: source lives in the rooms of the plan, and no compiled test outlives its source. */
export const checkTopLevel = (paths: readonly string[]): readonly Offence[] => {
  const all = new Set(paths)
  const isAtHome = (path: string): boolean =>
    sourceFolders.some((folder) => path.startsWith(`${folder}/`))
  const misplaced = paths
    .filter((path) => sourceExtension.test(path) && !isAtHome(path))
    .map((path) => `${path}: source outside ${sourceFolders.join(', ')}`)
  const stale = paths
    .filter((path) => /^test\/dist\/.*\.test\.js$/.test(path))
    .filter((path) => !all.has(path.replace('test/dist/', 'test/').replace(/\.js$/, '.ts')))
    .map((path) => `${path}: its source is gone, run "npm run clean"`)
  return [...misplaced, ...stale]
}

const matches = (
  file: SourceFile,
  masked: string,
  patterns: readonly RegExp[],
): readonly Offence[] =>
  patterns.flatMap((pattern) =>
    [...masked.matchAll(pattern)].map(
      (match) => `${file.path}:${lineOf(file.text, match.index)}: ${match[0].trim()}`,
    ),
  )
