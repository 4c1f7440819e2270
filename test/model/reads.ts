import type { Op, OpResult } from '@conclave/protocol'
import { grants, masked } from './access.js'
import type { Refusal } from './faults.js'
import { isBelow, isGoodPath } from './paths.js'
import { childrenOf, listed, statOf, type Tree, type Who, type Znode } from './tree.js'

export type Answer = Refusal | { readonly result: unknown }

/** The numbers of the children at which pages ended, by the cursor that the server gave. */
export type Cursors = ReadonlyMap<string, number>

type Read = Exclude<
  Extract<Op, { linearizable: boolean } | { op: 'sync' | 'whoAmI' }>,
  { op: 'getChildren' }
>

export const read = (tree: Tree, op: Read, who: Who): Answer => {
  switch (op.op) {
    case 'check': {
      const znode = readable(tree, op.path, who)
      if ('code' in znode) return znode
      const isWanted = op.version === -1 || op.version === znode.version
      return isWanted ? { result: {} } : refusal('badVersion')
    }
    case 'exists':
      return exists(tree, op.path, who)
    case 'getData':
      return getData(tree, op.path, who)
    case 'getAcl':
      return getAcl(tree, op.path, who)
    case 'getEphemerals': {
      const paths = [...tree]
        .filter(([path]) => path === op.path || isBelow(path, op.path))
        .filter(([, { owner }]) => owner === who.sessionId)
        .map(([path]) => path)
      return { result: { paths, cursor: null } }
    }
    case 'countDescendants': {
      const znode = readable(tree, op.path, who)
      if ('code' in znode) return znode
      const count = [...tree.keys()].filter((path) => isBelow(path, op.path)).length
      return { result: { count, cursor: null } }
    }
    case 'multiRead':
      return { result: { results: op.reads.map((one) => part(tree, one, who)) } }
    case 'sync':
      return { result: {} }
    case 'whoAmI':
      return { result: { sessionId: who.sessionId, identities: who.identities } }
    default:
      return op satisfies never
  }
}

/** One page, from the child with the given number on, and the number that the next starts at. */
export const page = (
  tree: Tree,
  op: Pick<Op<'getChildren'>, 'path' | 'limit' | 'withStat'>,
  who: Who,
  from: number,
): { readonly answer: Answer; readonly next: number | null } => {
  const znode = readable(tree, op.path, who)
  if ('code' in znode) return { answer: znode, next: null }
  const ordinalOf = (path: string): number => tree.get(path)?.ordinal ?? 0
  const rest = childrenOf(tree, op.path).filter((path) => ordinalOf(path) >= from)
  const shown = op.limit === 0 ? rest : rest.slice(0, op.limit)
  const last = shown.at(-1)
  const children = listed(tree, shown, op.withStat)
  return {
    answer: { result: { children, cursor: null, stat: statOf(tree, op.path) } },
    next: last === undefined || shown.length === rest.length ? null : ordinalOf(last) + 1,
  }
}

const refusal = (code: Refusal['code']): Refusal => ({ code, index: null })

const readable = (tree: Tree, path: string, who: Who): Znode | Refusal => {
  const znode = tree.get(path)
  if (znode === undefined) return refusal('noNode')
  return grants(znode.acl, who.identities, 'read') ? znode : refusal('noAuth')
}

const exists = (tree: Tree, path: string, who: Who): Answer => {
  if (!tree.has(path)) return { result: { stat: null } }
  const znode = readable(tree, path, who)
  return 'code' in znode ? znode : { result: { stat: statOf(tree, path) } }
}

const getData = (tree: Tree, path: string, who: Who): Answer => {
  const znode = readable(tree, path, who)
  return 'code' in znode ? znode : { result: { data: znode.data, stat: statOf(tree, path) } }
}

const getAcl = (tree: Tree, path: string, who: Who): Answer => {
  const znode = tree.get(path)
  if (znode === undefined) return refusal('noNode')
  const isAdmin = grants(znode.acl, who.identities, 'admin')
  if (!isAdmin && !grants(znode.acl, who.identities, 'read')) return refusal('noAuth')
  return { result: { acl: isAdmin ? znode.acl : masked(znode.acl), stat: statOf(tree, path) } }
}

type Part = OpResult<'multiRead'>['results'][number]

const part = (tree: Tree, { op, path }: Op<'multiRead'>['reads'][number], who: Who): unknown => {
  const nothing: Record<keyof Part, unknown> = {
    failure: null,
    exists: null,
    getData: null,
    getChildren: null,
    getAcl: null,
  }
  if (!isGoodPath(path)) return { ...nothing, failure: refusal('badArguments') }
  const answer = partAnswer(tree, op, path, who)
  return 'code' in answer ? { ...nothing, failure: answer } : { ...nothing, [op]: answer.result }
}

const partAnswer = (tree: Tree, op: string, path: string, who: Who): Answer => {
  if (op === 'exists') return exists(tree, path, who)
  if (op === 'getData') return getData(tree, path, who)
  if (op === 'getAcl') return getAcl(tree, path, who)
  return page(tree, { path, limit: 0, withStat: false }, who, 0).answer
}
