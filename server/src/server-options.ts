import { limits } from '@conclave/protocol'
import type { Logger } from 'pino'
import { StartError } from './start-error.js'

/** What a server is started with. */
export interface ServerOptions {
  /** The data directory; made when it does not exist. */
  readonly data: string
  /** What to listen on; loopback unless told otherwise. */
  readonly host?: string
  /** 0: any free one. */
  readonly clientPort?: number
  readonly serverId?: number
  /** Must be true for a host that is not loopback: others can read and change what passes. */
  readonly insecure?: boolean
  /** Pages that may connect from a browser, as `https://console.example`. */
  readonly allowOrigins?: readonly string[]
  /** Names of this server, besides the loopback ones, that clients may reach it under. */
  readonly hosts?: readonly string[]
  /** How much of the recent log is kept in memory for streams. */
  readonly historyBytesMax?: number
  /** A snapshot is begun after this many txns. */
  readonly snapshotTxns?: number
  readonly segmentBytes?: number
  /** Client connections at one time; 10,000 unless told otherwise. */
  readonly connectionsMax?: number
  readonly sessionTimeoutMsMin?: number
  readonly sessionTimeoutMsMax?: number
  /** Silent when absent. */
  readonly log?: Logger
}

/** @throws StartError for what no server could run with */
export const checkOptions = (options: ServerOptions): void => {
  const { host = '127.0.0.1', insecure = false } = options
  for (const [name, most] of Object.entries(numberMax)) {
    const value = options[name as NumberOption]
    const least = name === 'clientPort' ? 0 : 1
    if (value === undefined) continue
    if (Number.isSafeInteger(value) && value >= least && value <= most) continue
    throw new StartError('options', `${name} is an integer from ${least} to ${most}.`)
  }
  const { sessionTimeoutMsMin = limits.sessionTimeoutMsMin } = options
  if (sessionTimeoutMsMin > (options.sessionTimeoutMsMax ?? limits.sessionTimeoutMsMax)) {
    throw new StartError('options', 'sessionTimeoutMsMin is above sessionTimeoutMsMax.')
  }
  const isLoopback = host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
  if (isLoopback || insecure) return
  throw new StartError(
    'insecure',
    `${host} is not a loopback address and there is no TLS yet: set insecure: true to listen ` +
      'there all the same, on a network that you trust.',
  )
}

const numberMax = {
  clientPort: 65_535,
  serverId: limits.serverIdMax,
  historyBytesMax: Number.MAX_SAFE_INTEGER,
  snapshotTxns: Number.MAX_SAFE_INTEGER,
  segmentBytes: 1_073_741_824,
  connectionsMax: Number.MAX_SAFE_INTEGER,
  sessionTimeoutMsMin: 2_147_483_647,
  sessionTimeoutMsMax: 2_147_483_647,
} as const satisfies Partial<Record<keyof ServerOptions, number>>

type NumberOption = keyof typeof numberMax
