import t from 'tap'
import { type Acl, aclFault, allows, cidrContains, type Identity } from '@conclave/protocol'

const hash = 'a'.repeat(64)
const from = (address: string): Identity[] => [{ scheme: 'ip', id: address }]
const entry = (scheme: Acl[number]['scheme'], id: string, permissions = 1): Acl[number] => ({
  scheme,
  id,
  permissions,
})

t.test('ACL-7 an address lies in a block when its leading bits do', async (t) => {
  const table: [cidr: string, address: string, inside: boolean][] = [
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['10.1.2.3/32', '10.1.2.4', false],
    ['10.1.0.0/16', '10.1.255.255', true],
    ['10.1.0.0/16', '10.2.0.0', false],
    ['10.1.2.128/25', '10.1.2.129', true],
    ['10.1.2.128/25', '10.1.2.127', false],
    ['172.16.0.0/12', '172.31.255.255', true],
    ['172.16.0.0/12', '172.32.0.0', false],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '10.0.0.1', false],
    ['::/0', 'fe80::1', true],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::8000/113', '2001:db8::8001', true],
    ['2001:db8::8000/113', '2001:db8::7fff', false],
    ['10.0.0.0/8', '::ffff:10.9.8.7', true],
    ['2001:DB8::A', '2001:db8::a', true],
    ['10.0.0.0/33', '10.0.0.0', false],
    ['10.0.0.0', 'nonsense', false],
  ]
  for (const [cidr, address, inside] of table) {
    t.equal(cidrContains(cidr, address), inside, `${address} in ${cidr}`)
  }
  const acl = [entry('ip', '10.0.0.0/8')]
  t.equal(allows(acl, 'read', from('10.255.0.1')), true)
  t.equal(allows(acl, 'read', from('11.0.0.1')), false)
})

t.test('ACL-8 what is wrong with an ACL by itself', async (t) => {
  const good: Acl[number][] = [
    entry('world', 'anyone', 31),
    entry('auth', ''),
    entry('digest', `u:${hash}`),
    entry('ip', '1.2.3.4'),
    entry('ip', '1.2.3.4/0'),
    entry('ip', '::/128'),
    entry('ip', '1:2:3:4:5:6:7:8'),
    entry('ip', 'fe80::'),
  ]
  for (const each of good) t.equal(aclFault([each]), null, `${each.scheme}:${each.id}`)
  const bad: Acl[number][] = [
    entry('world', ''),
    entry('world', 'all'),
    entry('auth', 'me'),
    entry('digest', `:${hash}`),
    entry('digest', `u:${hash.slice(1)}`),
    entry('digest', `u:${hash}0`),
    entry('digest', `u:${hash.toUpperCase()}`),
    entry('digest', hash),
    entry('digest', `u:${hash}\n`),
    entry('ip', ''),
    entry('ip', '1.2.3'),
    entry('ip', '1.2.3.256'),
    entry('ip', '1.2.3.4/33'),
    entry('ip', '1.2.3.4/'),
    entry('ip', '1.2.3.4/-1'),
    entry('ip', '::/129'),
    entry('ip', '1::2::3'),
    entry('ip', '1:2:3:4:5:6:7'),
    entry('ip', '1:2:3:4:5:6:7:8:9'),
    entry('ip', '12345::'),
    entry('ip', ':'),
    entry('ip', 'localhost'),
    entry('world', 'anyone', 0),
    entry('world', 'anyone', 32),
  ]
  for (const each of bad) {
    const name = `${each.scheme}:${each.id} ${each.permissions}`
    t.type(aclFault([each]), 'string', name)
    t.type(aclFault([entry('world', 'anyone'), each]), 'string', `${name}, as a second entry`)
  }
  t.equal(aclFault([]), 'an ACL has at least one entry')
})

t.test('ACL-2 an entry grants its bits, to whom it matches, and entries add up', async (t) => {
  const bits = { read: 1, write: 2, create: 4, delete: 8, admin: 16 } as const
  const names = Object.keys(bits) as (keyof typeof bits)[]
  const granted = (acl: Acl | null, who: Identity[]): string[] =>
    names.filter((name) => allows(acl, name, who))
  for (const name of names) {
    t.same(granted([entry('world', 'anyone', bits[name])], from('1.1.1.1')), [name])
  }
  const acl = [
    entry('world', 'anyone', 1),
    entry('digest', `u:${hash}`, 6),
    entry('ip', '10.0.0.0/8', 24),
  ]
  const user: Identity = { scheme: 'digest', id: `u:${hash}` }
  t.same(granted(acl, from('1.1.1.1')), ['read'])
  t.same(granted(acl, [...from('1.1.1.1'), user]), ['read', 'write', 'create'])
  t.same(granted(acl, from('10.0.0.1')), ['read', 'delete', 'admin'])
  t.same(granted(acl, [...from('10.0.0.1'), user]), names)
  const other: Identity = { scheme: 'digest', id: `v:${hash}` }
  t.same(granted(acl, [...from('1.1.1.1'), other]), ['read'])
  t.same(granted(null, from('1.1.1.1')), names)
})

t.test('ACL-12 an ACL has at most 64 entries, and an id at most 512 bytes', async (t) => {
  const entries = (count: number): Acl => Array.from({ length: count }, () => entry('auth', ''))
  t.equal(aclFault(entries(64)), null)
  t.equal(aclFault(entries(65)), 'an ACL has at most 64 entries')
  const user = (bytes: number): Acl => [entry('digest', `${'é'.repeat(bytes / 2)}:${hash}`)]
  t.equal(aclFault(user(446)), null)
  t.equal(aclFault(user(448)), 'an ACL id is too long')
})
