import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { clientSubprotocol } from '@conclave/protocol'

/** Who may open a connection at all. */
export interface HandshakePolicy {
  /** Browsers name the page that opens a WebSocket; no page may unless it is listed here. */
  readonly allowOrigins: readonly string[]
  /** Names of this server besides the loopback ones: a page of another site has another Host. */
  readonly hosts: readonly string[]
}

interface HandshakeRefusal {
  readonly status: 400 | 403 | 421
  readonly why: string
}

/** @returns why the handshake is refused, or null */
export const judgeHandshake = (
  request: IncomingMessage,
  policy: HandshakePolicy,
): HandshakeRefusal | null => {
  const { origin, host } = request.headers
  if (origin !== undefined && !policy.allowOrigins.includes(origin)) {
    return { status: 403, why: 'this Origin is not listed in allowOrigins' }
  }
  if (!isKnownHost(host, policy.hosts)) {
    return { status: 421, why: 'this Host is not a name of the server; list it in hosts' }
  }
  const offered = request.headers['sec-websocket-protocol'] ?? ''
  if (!offered.split(',').some((each) => each.trim() === clientSubprotocol)) {
    return { status: 400, why: `offer the WebSocket subprotocol ${clientSubprotocol}` }
  }
  return null
}

/** @param names of the server besides the loopback ones, in small letters */
export const isKnownHost = (host: string | undefined, names: readonly string[]): boolean => {
  const name = host === undefined ? null : hostName(host)
  return name !== null && (loopbackNames.has(name) || names.includes(name))
}

/** Of a Host header, without its port; null when it is none. */
const hostName = (host: string): string | null => {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host)
  const name = match?.[1] ?? match?.[2]
  if (name === undefined) return null
  return match?.[1] !== undefined && isIP(name) !== 6 ? null : name.toLowerCase()
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '::1'])
