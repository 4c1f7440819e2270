import { type CreateKind, createKinds, isSequential } from '@conclave/protocol'
import { BadArgumentsError } from './errors.js'
import type { CreateKindName, ReadOptions } from './options.js'
import type { RequestContext } from './request-context.js'

/** The op's `path` and `kind`; a sequential path is only a prefix, and may end in '/'. */
export const createFields = (
  { chroot }: RequestContext,
  path: string,
  kindName: CreateKindName = 'persistent',
): { readonly path: string; readonly kind: CreateKind } => {
  const kind = kindOf(kindName)
  return { kind, path: isSequential(kind) ? chroot.prefixToServer(path) : chroot.toServer(path) }
}

const kindOf = (name: CreateKindName): CreateKind => {
  const kind = name === 'sequential' ? 'persistentSequential' : name
  if (createKinds.includes(kind)) return kind
  throw new BadArgumentsError({ message: `there is no kind "${String(name)}" of znode` })
}

export const isLinearizable = ({ consistency = 'local' }: ReadOptions): boolean => {
  if (consistency === 'local' || consistency === 'linearizable') return consistency !== 'local'
  throw new BadArgumentsError({ message: `consistency is 'local' or 'linearizable'` })
}
