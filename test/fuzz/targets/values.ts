import { BlockList, isIP } from 'node:net'
import {
  type Acl,
  aclFault,
  aclSchema,
  allows,
  baseName,
  cidrContains,
  joinPath,
  parentPath,
  pathFault,
  sequentialPathFault,
  ShapeError,
  utf8Encode,
  utf8Length,
} from '@conclave/protocol'
import { pack, unpack } from '@conclave/protocol/codec'
import { decodeCursor, encodeCursor } from '#server/core/pipeline/cursor.js'
import { judgeHandshake } from '#server/runtime/net/handshake.js'
import { type Target, template } from '../target.js'

const bytes = (text: string): Buffer => Buffer.from(text)
const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}

/** PATH-1 to PATH-5 once more, in another way. */
const isPath = (text: string): boolean => {
  if (text === '/') return true
  if (!text.startsWith('/') || Buffer.byteLength(text) > 1_024) return false
  const parts = text.slice(1).split('/')
  return (
    parts.length <= 64 &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    // oxlint-disable-next-line no-control-regex
    !/[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(text)
  )
}

const paths: Target = {
  name: 'values.paths',
  seeds: [
    '/',
    '/a',
    '/a/b',
    '/a//b',
    '/./a',
    '/a/..',
    '/ä/中',
    `/${'x'.repeat(1_023)}`,
    '/a'.repeat(64),
  ].map(bytes),
  run(input) {
    const text = input.toString('utf8')
    const fault = pathFault(text)
    must((fault === null) === isPath(text), `${fault} of a path`)
    must(utf8Length(text) === Buffer.byteLength(text), 'the length in UTF-8')
    must(Buffer.from(utf8Encode(text)).equals(Buffer.from(text)), 'the bytes in UTF-8')
    const asPrefix = sequentialPathFault(text)
    must((asPrefix === null) === isPath(`${text}${'0'.repeat(16)}`), `${asPrefix} of a prefix`)
    if (fault !== null) return template(fault)
    if (text !== '/') must(joinPath(parentPath(text), baseName(text)) === text, 'parent and name')
    return `a path, ${asPrefix}`
  },
}

const acls: Target = {
  name: 'values.acls',
  seeds: [
    [['world', 'anyone', 31]],
    [
      ['digest', `u:${'0'.repeat(64)}`, 1],
      ['ip', '10.0.0.0/8', 2],
      ['auth', '', 4],
    ],
    [
      ['ip', '::ffff:10.0.0.1', 31],
      ['ip', 'fe80::/10', 31],
    ],
  ].map((acl) => pack(acl)),
  run(input) {
    let acl: Acl
    try {
      acl = aclSchema.decode(unpack(input), 'acl')
    } catch (error) {
      if (error instanceof ShapeError) return template(error.message)
      throw error
    }
    const fault = aclFault(acl)
    const me = [{ scheme: 'ip', id: '10.1.2.3' } as const]
    const granted = allows(acl, 'read', me)
    if (fault === null && acl.every(({ scheme }) => scheme === 'digest')) {
      must(!granted, 'granted to nobody')
    }
    return fault === null ? `an ACL, ${granted}` : template(fault)
  },
}

/** `network/bits address`, against what Node makes of it. */
const networks: Target = {
  name: 'values.networks',
  seeds: [
    '10.0.0.0/8 10.1.2.3',
    '::/0 ::1',
    'fe80::/10 fe80::1',
    '1.2.3.4/32 1.2.3.4',
    '::1/127 ::2',
  ].map(bytes),
  run(input) {
    const [cidr = '', address = ''] = input.toString('latin1').split(' ')
    const contains = cidrContains(cidr, address)
    const [network = '', bits = '', ...more] = cidr.split('/')
    const family = isIP(network)
    const plain = /^[0-9a-f:]+$|^\d+(\.\d+){3}$/i
    const isKnown =
      family !== 0 && isIP(address) === family && /^\d{1,3}$/.test(bits) && more.length === 0
    if (!isKnown || !plain.test(network) || !plain.test(address)) return `no, ${contains}`
    if (Number(bits) > (family === 4 ? 32 : 128)) return `too long, ${contains}`
    const list = new BlockList()
    list.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
    const expected = list.check(address, family === 4 ? 'ipv4' : 'ipv6')
    must(contains === expected, `${cidr} contains ${address}: ${contains}`)
    return `${family} ${contains}`
  },
}

const cursors: Target = {
  name: 'values.cursors',
  seeds: [encodeCursor([-1]), encodeCursor([5, 2 ** 53 - 2, 0])],
  run(input) {
    const ordinals = decodeCursor(input, { min: 1, max: 65 })
    if (ordinals === null) return 'none'
    must(Buffer.from(encodeCursor(ordinals)).equals(input), 'a cursor has two forms')
    return `${ordinals.length}`
  },
}

const policy = { allowOrigins: [], hosts: [] }
const hosts: Target = {
  name: 'values.hosts',
  seeds: ['localhost', '127.0.0.1:7400', '[::1]:7400', 'evil@localhost', '[::1'].map(bytes),
  run(input) {
    const host = input.toString('latin1')
    const headers = { host, 'sec-websocket-protocol': 'conclave.v1' }
    const refusal = judgeHandshake({ headers } as never, policy)
    const isOurs = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host)
    must((refusal === null) === isOurs, `${host} is let in: ${refusal === null}`)
    return refusal === null ? 'ours' : 'not ours'
  },
}

export const valueTargets: readonly Target[] = [paths, acls, networks, cursors, hosts]
