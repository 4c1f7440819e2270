/** One place in which two versions differ. */
export interface ConfigDifference {
  readonly op: 'add' | 'remove' | 'replace'
  /** A JSON pointer (RFC 6901): `/limits/0/name`; the empty text is the whole document. */
  readonly path: string
  /** As it was; not there for `add`. */
  readonly before?: unknown
  /** As it is; not there for `remove`. */
  readonly after?: unknown
}

/**
 * How one JSON value became another, in the order of the earlier one's members. Lists are compared
 * place by place: what is inserted in front replaces all behind it. Libraries that make patches
 * look for moves, at a cost that grows with the square of a list, and leave out what was before.
 */
export const differencesOf = (before: unknown, after: unknown): readonly ConfigDifference[] => [
  ...compare(before, after, ''),
]

function* compare(before: unknown, after: unknown, path: string): Generator<ConfigDifference> {
  if (Object.is(before, after)) return
  const [from, to] = [membersOf(before), membersOf(after)]
  if (from === null || to === null || Array.isArray(before) !== Array.isArray(after)) {
    yield { op: 'replace', path, before, after }
    return
  }
  for (const [name, value] of from) {
    const at = `${path}/${escaped(name)}`
    if (to.has(name)) yield* compare(value, to.get(name), at)
    else yield { op: 'remove', path: at, before: value }
  }
  for (const [name, value] of to) {
    if (!from.has(name)) yield { op: 'add', path: `${path}/${escaped(name)}`, after: value }
  }
}

/** Null for what has no members. */
const membersOf = (value: unknown): ReadonlyMap<string, unknown> | null =>
  typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : null

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
