import { type Acl, type AclEntry, type Permission, permissions } from '@conclave/client'
import { UsageError } from '../usage-error.js'
import { escapeText } from './escape.js'

/** `world:anyone:rwcda`: scheme, id, and the letters of what is allowed. */
export const aclEntryText = ({ scheme, id, permissions: bits }: AclEntry): string =>
  `${scheme}:${escapeText(id)}:${lettersOf(bits)}`

/** The letters of permission bits, in the order read, write, create, delete, admin. */
export const lettersOf = (bits: number): string =>
  letters.flatMap(([letter, name]) => ((bits & permissions[name]) === 0 ? [] : [letter])).join('')

/** @throws UsageError that says which part of which entry is wrong */
export const parseAcl = (entries: readonly string[]): Acl => entries.map(parseAclEntry)

const parseAclEntry = (text: string): AclEntry => {
  // An id may hold colons (user:hash, IPv6), scheme and letters do not.
  const [, scheme, id = '', asked = ''] = /^([^:]*):(.*):([^:]*)$/s.exec(text) ?? []
  const known = schemes.find((name) => name === scheme)
  if (scheme === undefined || known === undefined) {
    throw new UsageError(
      `"${text}" is no ACL entry: write scheme:id:permissions, such as world:anyone:r, ` +
        'auth::rwcda, digest:user:HASH:rw or ip:10.0.0.0/8:r',
    )
  }
  return { scheme: known, id, permissions: bitsOf(asked, text) }
}

const bitsOf = (asked: string, entry: string): number => {
  if (asked === '') throw new UsageError(`"${entry}" grants nothing: end it with letters of rwcda`)
  let bits = 0
  for (const letter of asked) {
    const found = letters.find(([known]) => known === letter)
    if (found === undefined) {
      throw new UsageError(
        `"${letter}" in "${entry}" is no permission: r read, w write, c create, d delete, a admin`,
      )
    }
    bits |= permissions[found[1]]
  }
  return bits
}

const schemes = ['world', 'auth', 'digest', 'ip'] as const

const letters: readonly (readonly [letter: string, name: Permission])[] = [
  ['r', 'read'],
  ['w', 'write'],
  ['c', 'create'],
  ['d', 'delete'],
  ['a', 'admin'],
]
