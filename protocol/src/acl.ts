import { limits } from './limits.js'
import { type Infer, list, oneOf, record, text, uint } from './schema.js'
import { utf8Length } from './utf8.js'

/** The bits of an ACL entry's permissions. */
export const permissions = Object.freeze({
  read: 1,
  write: 2,
  create: 4,
  delete: 8,
  admin: 16,
  all: 31,
})
export type Permission = Exclude<keyof typeof permissions, 'all'>

export const aclSchemes = ['world', 'auth', 'digest', 'ip'] as const
export type AclScheme = (typeof aclSchemes)[number]

export const aclEntrySchema = record({
  scheme: oneOf<AclScheme>(...aclSchemes),
  id: text(limits.frameBytesMax),
  permissions: uint(),
})
export type AclEntry = Infer<typeof aclEntrySchema>

export const aclSchema = list(aclEntrySchema, limits.decodedItemsMax)
export type Acl = readonly AclEntry[]

/** Who a connection is: `ip` from its address, `digest` from each successful auth. */
export const identitySchema = record({
  scheme: oneOf<'ip' | 'digest'>('ip', 'digest'),
  id: text(limits.aclIdBytesMax),
})
export type Identity = Infer<typeof identitySchema>

/** Everybody may do everything; the default of a create that names no ACL. */
export const openAcl: Acl = Object.freeze([
  Object.freeze({ scheme: 'world', id: 'anyone', permissions: permissions.all } as const),
])

/**
 * Judges an ACL by itself; whether `auth` can be filled in depends on the connection.
 * @returns what is wrong, as a sentence, or null
 */
export const aclFault = (acl: Acl): string | null => {
  if (acl.length === 0) return 'an ACL has at least one entry'
  if (acl.length > limits.aclEntriesMax) {
    return `an ACL has at most ${limits.aclEntriesMax} entries`
  }
  for (const entry of acl) {
    if (entry.permissions > permissions.all) return 'an ACL entry grants unknown permissions'
    if (entry.permissions === 0) return 'an ACL entry grants at least one permission'
    if (utf8Length(entry.id) > limits.aclIdBytesMax) return 'an ACL id is too long'
    const fault = entryFault[entry.scheme](entry.id)
    if (fault !== null) return fault
  }
  return null
}

/**
 * The one judgement of access, for operations, for each operation of a transaction and for events.
 * @param acl null means {@link openAcl}
 */
export const allows = (
  acl: Acl | null,
  permission: Permission,
  identities: readonly Identity[],
): boolean =>
  acl === null ||
  acl.some(
    (entry) =>
      (entry.permissions & permissions[permission]) !== 0 &&
      identities.some((identity) => matches(entry, identity)),
  )

/** What an ACL takes at most on the wire and in the log, and not much more. */
export const aclBytes = (acl: Acl | null): number =>
  (acl ?? []).reduce((bytes, { id }) => bytes + 16 + 3 * id.length, 0)

/** Equal ACLs have equal keys, others have not. */
export const aclKey = (acl: Acl): string =>
  JSON.stringify(acl.map((entry) => [entry.scheme, entry.id, entry.permissions]))

/** True when `address` (dotted IPv4 or IPv6 text) lies inside `cidr` (address or address/bits). */
export const cidrContains = (cidr: string, address: string): boolean => {
  const network = parseCidr(cidr)
  const host = parseAddress(address)
  if (network === null || host === null || network.groups.length !== host.length) return false
  let bits = network.bits
  for (const [i, group] of network.groups.entries()) {
    const take = Math.min(bits, 16)
    const mask = take === 0 ? 0 : (0xffff << (16 - take)) & 0xffff
    if ((group & mask) !== ((host[i] ?? 0) & mask)) return false
    bits -= take
  }
  return true
}

/** Every connection has at least its ip identity, so `world` is met by the first one. */
const matches = (entry: AclEntry, identity: Identity): boolean => {
  if (entry.scheme === 'world') return true
  if (entry.scheme !== identity.scheme) return false
  return entry.scheme === 'ip' ? cidrContains(entry.id, identity.id) : entry.id === identity.id
}

const entryFault: Readonly<Record<AclScheme, (id: string) => string | null>> = {
  world: (id) => (id === 'anyone' ? null : `the only id of scheme 'world' is 'anyone'`),
  auth: (id) => (id === '' ? null : `scheme 'auth' takes an empty id: it means the creator`),
  digest: (id) =>
    /^[^:]+:[0-9a-f]{64}$/.test(id) ? null : `a digest id is 'user:' and 64 hexadecimal digits`,
  ip: (id) => (parseCidr(id) === null ? `an ip id is an address or address/bits` : null),
}

const parseCidr = (cidr: string): { groups: readonly number[]; bits: number } | null => {
  const slash = cidr.indexOf('/')
  const groups = parseAddress(slash === -1 ? cidr : cidr.slice(0, slash))
  if (groups === null) return null
  const bitsMax = groups.length * 16
  if (slash === -1) return { groups, bits: bitsMax }
  const digits = cidr.slice(slash + 1)
  if (!/^\d{1,3}$/.test(digits) || Number(digits) > bitsMax) return null
  return { groups, bits: Number(digits) }
}

/** An address as 16-bit groups: two for IPv4, eight for IPv6. A mapped IPv4 counts as IPv4. */
const parseAddress = (address: string): readonly number[] | null => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  const dotted = mapped?.[1] ?? address
  if (/^\d+\.\d+\.\d+\.\d+$/.test(dotted)) {
    const octets = dotted.split('.').map(Number)
    if (octets.some((octet) => octet > 255)) return null
    const [a = 0, b = 0, c = 0, d = 0] = octets
    return [a * 256 + b, c * 256 + d]
  }
  return parseIpv6(address)
}

const parseIpv6 = (address: string): readonly number[] | null => {
  if (!/^[0-9a-f:]+$/i.test(address) || !address.includes(':')) return null
  const halves = address.split('::')
  if (halves.length > 2) return null
  const groupsOf = (half: string): string[] => (half === '' ? [] : half.split(':'))
  const head = groupsOf(halves[0] ?? '')
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '') : []
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail]
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return null
  return groups.map((group) => Number.parseInt(group, 16))
}
