import { defaultClientPort, pathFault } from '@conclave/protocol'
import { ConnectStringError } from './errors.js'

/** What a connect string says. */
export interface ConnectTarget {
  /** `host:port`, an IPv6 address in brackets; each once, in the order written. */
  readonly servers: readonly string[]
  /** `/` when none is named. */
  readonly chroot: string
}

/**
 * Reads a connect string: `conclave://host:port,host:port/chroot`. The scheme, the ports (7400) and
 * the chroot may be left out; IPv6 addresses stand in brackets.
 *
 * @throws ConnectStringError with a sentence that says what is wrong
 * @example
 * parseConnectString('conclave://10.0.0.1:7400,[::1]/orders')
 * // { servers: ['10.0.0.1:7400', '[::1]:7400'], chroot: '/orders' }
 */
export const parseConnectString = (connectString: string): ConnectTarget => {
  if (typeof connectString !== 'string') {
    throw fault('a connect string is a string such as conclave://127.0.0.1:7400')
  }
  const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(connectString) ?? []
  if (scheme !== undefined && scheme.toLowerCase() !== 'conclave') {
    throw fault(`the scheme is conclave://, not ${scheme}://`)
  }
  const slash = rest.indexOf('/')
  const hosts = slash === -1 ? rest : rest.slice(0, slash)
  const chroot = slash === -1 ? '/' : rest.slice(slash).replace(/(?<=.)\/$/, '')
  const chrootFault = pathFault(chroot)
  if (chrootFault !== null) throw fault(`the chroot ${chroot} is not valid: ${chrootFault}`)
  if (hosts.trim() === '') throw fault('it names no server')
  return { servers: [...new Set(hosts.split(',').map(serverOf))], chroot }
}

const serverOf = (entry: string): string => {
  const server = entry.trim()
  if (server === '') throw fault('there is nothing between two commas')
  if (server.includes('@')) throw fault('credentials go into the option auth, not into the string')
  const match = /^(\[[^\]]*\]|[^:[\]]+)(?::(.*))?$/.exec(server)
  if (match === null) throw fault(`"${server}" is no host:port; write IPv6 addresses in brackets`)
  const [, host = '', port] = match
  checkHost(host)
  const number = port === undefined ? defaultClientPort : Number(port)
  if (!/^\d+$/.test(port ?? '0') || number < 1 || number > 65_535) {
    throw fault(`"${port}" in "${server}" is no port (1 to 65535)`)
  }
  return `${host}:${number}`
}

const checkHost = (host: string): void => {
  const isV6 = host.startsWith('[')
  const isGood = isV6 ? /^\[[0-9a-f:.]*:[0-9a-f:.]*\]$/i.test(host) : /^[\w.-]+$/.test(host)
  if (!isGood) throw fault(`"${host}" is no ${isV6 ? 'IPv6 address' : 'host name'}`)
}

const fault = (what: string): Error =>
  new ConnectStringError({ message: `the connect string is not valid: ${what}` })
