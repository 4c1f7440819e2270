import { inspect } from 'node:util'
import { defaultClientPort, limits } from '@conclave/protocol'
import type { Logger } from 'pino'
import { z } from 'zod'
import { StartError } from './start-error.js'

export const portMax = 65_535

const whole = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}
const text = () => z.string({ error: 'a text' }).min(1, { error: 'a text that is not empty' })
const texts = () => z.array(text(), { error: 'a list of texts' }).readonly()
const sessionTimeoutMs = () => whole(limits.sessionTimeoutMsMin, limits.sessionTimeoutMsMax)

/**
 * All that a server can be told in plain data, by a program or in a config file: names (units at
 * their end), bounds, and what counts when nothing is said.
 */
export const serverOptionFields = {
  /** The data directory; made when it does not exist. */
  data: text(),
  /** What to listen on; loopback unless told otherwise. */
  host: text().default('127.0.0.1'),
  /** What clients connect to: 0 to 65,535, by default 7400. 0: any free one. */
  clientPort: whole(0, portMax).default(defaultClientPort),
  /** 1 to 255, by default 1. A data directory belongs to the one that it was made by. */
  serverId: whole(1, limits.serverIdMax).default(1),
  /** Must be true for a host that is not loopback: others can read and change what passes. */
  insecure: z.boolean({ error: 'true or false' }).default(false),
  /** Pages that may connect from a browser, as `https://console.example`; by default none. */
  allowOrigins: texts().default([]),
  /** Names of this server, besides its host and the loopback ones, that clients may use. */
  hosts: texts().default([]),
  /**
   * How much of the recent log is kept in memory for streams that resume; by default 16 MiB, and
   * 1 MiB however little is asked for. Streams from before it read the log's segments.
   */
  historyBytesMax: whole(0, Number.MAX_SAFE_INTEGER).default(limits.historyBytesDefault),
  /** A snapshot is begun after this many txns, at least 1; by default 100,000. */
  snapshotTxns: whole(1, Number.MAX_SAFE_INTEGER).default(100_000),
  /** The size of a file of the log: 64 KiB to 1 GiB, by default 16 MiB. */
  segmentBytes: whole(65_536, 1_073_741_824).default(16_777_216),
  /** Client connections at one time: 1 to 1,000,000, by default 10,000. */
  connectionsMax: whole(1, 1_000_000).default(limits.connectionsMax),
  /** The shortest session timeout that is granted: 1,000 to 60,000 ms, by default 1,000. */
  sessionTimeoutMsMin: sessionTimeoutMs().default(limits.sessionTimeoutMsMin),
  /** The longest session timeout that is granted: 1,000 to 60,000 ms, by default 60,000. */
  sessionTimeoutMsMax: sessionTimeoutMs().default(limits.sessionTimeoutMsMax),
}

/** What each option says about another one. */
export const timeoutsInOrder = z.refine<{
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
}>(({ sessionTimeoutMsMin, sessionTimeoutMsMax }) => sessionTimeoutMsMin <= sessionTimeoutMsMax, {
  path: ['sessionTimeoutMsMin'],
  error: 'at most sessionTimeoutMsMax',
})

type Fields = z.ZodObject<typeof serverOptionFields>

/** What a server is started with. */
export type ServerOptions = Readonly<z.input<Fields>> & {
  /** Silent when absent. */
  readonly log?: Logger | undefined
}

/** The same with a value for everything that was not said. */
export type ServerSettings = Readonly<z.output<Fields>> & Pick<ServerOptions, 'log'>

const optionsSchema: z.ZodType<ServerSettings> = z
  .strictObject({
    ...serverOptionFields,
    log: z
      .custom<Logger>((log) => typeof (log as Logger | null)?.info === 'function', {
        error: 'a logger of pino',
      })
      .optional(),
  })
  .check(timeoutsInOrder)

/** @throws StartError for what no server could run with: it names the option, value and bounds */
export const settingsOf = (options: ServerOptions): ServerSettings => {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) throw new StartError('options', `${optionFault(parsed.error, options)}.`)
  const { host, insecure } = parsed.data
  const isLoopback = host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
  if (isLoopback || insecure) return parsed.data
  throw new StartError(
    'insecure',
    `${host} is not a loopback address and there is no TLS yet: set insecure: true to listen ` +
      'there all the same, on a network that you trust.',
    { option: 'insecure' },
  )
}

/** The first fault in words: `clientPort is a whole number from 0 to 65535, not 70000`. */
export const optionFault = (
  { issues: [issue] }: z.core.$ZodError,
  options: unknown,
  names: readonly string[] = Object.keys(serverOptionFields),
): string => {
  if (issue?.code === 'unrecognized_keys') {
    const [unknown = ''] = issue.keys
    const meant = names.find((known) => lettersOf(known) === lettersOf(unknown))
    const hint = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`
    return `there is no option "${unknown}"; ${hint}`
  }
  if (issue === undefined || issue.path.length === 0) return 'the options are no names and values'
  const value = issue.path.reduce<unknown>(
    (holder, name) => (holder as Record<PropertyKey, unknown>)[name],
    options,
  )
  const shown = inspect(value, { depth: 0, maxStringLength: 60, breakLength: Infinity })
  return `${issue.path.join('.')} is ${issue.message}, not ${shown}`
}

/** `client_port`, `client-port` and `ClientPort` mean `clientPort`. */
const lettersOf = (name: string): string => name.toLowerCase().replace(/[^a-z]/g, '')
