import type { Acl, AclEntry, Identity } from '@conclave/protocol'

/** The rules ACL-1 to ACL-9, said once more. */

export type Right = keyof typeof bits
const bits = { read: 1, write: 2, create: 4, delete: 8, admin: 16 } as const

export const openToAll: Acl = [{ scheme: 'world', id: 'anyone', permissions: 31 }]

export const grants = (acl: Acl, who: readonly Identity[], right: Right): boolean =>
  acl.some((entry) => (entry.permissions & bits[right]) !== 0 && matches(entry, who))

const matches = ({ scheme, id }: AclEntry, who: readonly Identity[]): boolean =>
  scheme === 'world' ||
  who.some((identity) =>
    scheme === 'ip'
      ? identity.scheme === 'ip' && covers(id, identity.id)
      : identity.scheme === scheme && identity.id === id,
  )

/** IPv4 only: no client of the model has another address. */
const covers = (block: string, address: string): boolean => {
  const [base = '', size = '32'] = block.split('/')
  return binary(base).slice(0, Number(size)) === binary(address).slice(0, Number(size))
}

const binary = (address: string): string =>
  address
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('')

/** `auth` is filled in with the creator's digest identities. @returns null when it is no ACL */
export const storedAcl = (asked: Acl, who: readonly Identity[]): Acl | null => {
  if (!isGoodAcl(asked)) return null
  const digests = who.filter(({ scheme }) => scheme === 'digest')
  const stored = asked.flatMap((entry): Acl =>
    entry.scheme === 'auth'
      ? digests.map(({ id }) => ({ scheme: 'digest', id, permissions: entry.permissions }))
      : [entry],
  )
  return asked.some(({ scheme }) => scheme === 'auth') && digests.length === 0 ? null : stored
}

/** What can be said of an ACL without knowing who gives it. */
export const isGoodAcl = (acl: Acl): boolean =>
  acl.length > 0 &&
  acl.length <= 64 &&
  acl.every(({ permissions }) => permissions >= 1 && permissions <= 31) &&
  acl.every(({ id }) => Buffer.byteLength(id) <= 512) &&
  acl.every(isGoodEntry)

const isGoodEntry = ({ scheme, id }: AclEntry): boolean => {
  switch (scheme) {
    case 'world':
      return id === 'anyone'
    case 'auth':
      return id === ''
    case 'digest':
      return /^[^:]+:[0-9a-f]{64}$/.test(id)
    case 'ip':
      return /^\d+\.\d+\.\d+\.\d+(\/\d+)?$/.test(id)
    default:
      return scheme satisfies never
  }
}

/** What a reader without ADMIN sees. */
export const masked = (acl: Acl): Acl =>
  acl.map((entry) =>
    entry.scheme === 'digest' ? { ...entry, id: `${entry.id.split(':')[0]}:***` } : entry,
  )
