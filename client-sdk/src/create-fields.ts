import { type Acl, type CreateKind, isSequential } from '@conclave/protocol'
import type { Chroot } from './chroot.js'
import type { ZnodeOptions } from './options.js'

interface CreateFields {
  readonly kind: CreateKind
  readonly ttlMs: number
  readonly acl: Acl | null
}

/** What a create asks for besides path and data, alone or in a transaction. */
export const createFields = ({ kind = 'persistent', ttlMs, acl }: ZnodeOptions): CreateFields => ({
  kind: kind === 'sequential' ? 'persistentSequential' : kind,
  ttlMs: ttlMs ?? 0,
  acl: acl ?? null,
})

/** A sequential path is only a prefix, and may end in '/'. */
export const createPath = (chroot: Chroot, path: string, kind: CreateKind): string =>
  isSequential(kind) ? chroot.prefixToServer(path) : chroot.toServer(path)
