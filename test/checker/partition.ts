import type { Input, ZnodeOp } from './znode-model.js'
import { parentOf } from './znode-model.js'

/**
 * A history is linearizable when each part of it is that shares no znode with the rest (Horn and
 * Kroening, "Faster linearizability checking via P-compositionality", 2015). Znodes belong together
 * when one operation names both, when one is created or deleted below the other, and when both may
 * be of one session.
 */
export const partition = (ops: readonly ZnodeOp[]): readonly (readonly ZnodeOp[])[] => {
  const groups = new Groups()
  for (const { input } of ops) {
    const [first, ...rest] = placesOf(input)
    for (const other of rest) groups.join(first as string, other)
  }
  const parts = new Map<string, ZnodeOp[]>()
  for (const op of ops) {
    const name = groups.nameOf(placesOf(op.input)[0] as string)
    const part = parts.get(name)
    if (part === undefined) parts.set(name, [op])
    else part.push(op)
  }
  return [...parts.values()]
}

/** All that an operation looks at or changes; a sequential create only its parent. */
const placesOf = (input: Input): readonly string[] => {
  if (input.op === 'multi') return input.inputs.flatMap(placesOf)
  if (input.op === 'closeSession') return [`session ${input.owner}`]
  const above = parentOf(input.path)
  const parent = above === '' ? [] : [above]
  if (input.op === 'delete') return [input.path, ...parent]
  if (input.op !== 'create') return [input.path, ...(isNumbered(input.path) ? parent : [])]
  const owner = input.owner === 0 ? [] : [`session ${input.owner}`]
  return [...(input.isSequential ? parent : [input.path, ...parent]), ...owner]
}

const isNumbered = (path: string): boolean => /\d{10}$/.test(path)

/** Disjoint sets, each known by one of its members. */
class Groups {
  readonly #above = new Map<string, string>()

  nameOf(member: string): string {
    let name = member
    for (let above = this.#above.get(name); above !== undefined; above = this.#above.get(name)) {
      name = above
    }
    return name
  }

  join(a: string, b: string): void {
    const [one, other] = [this.nameOf(a), this.nameOf(b)]
    if (one !== other) this.#above.set(one, other)
  }
}
