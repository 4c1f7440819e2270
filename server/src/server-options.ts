import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import {
  defaultAdminPort,
  defaultClientPort,
  defaultPeerPort,
  limits,
  type ServerId,
  Secret,
} from '@conclave/protocol'
import type { Logger } from 'pino'
import { z } from 'zod'
import { StartError } from './start-error.js'

export const portMax = 65_535

const whole = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}
const port = (min: number) => whole(min, portMax)
const text = () => z.string({ error: 'a text' }).min(1, { error: 'a text that is not empty' })
const texts = () => z.array(text(), { error: 'a list of texts' }).readonly()
const sessionTimeoutMs = () => whole(limits.sessionTimeoutMsMin, limits.sessionTimeoutMsMax)

const serverFields = {
  /** 1 to 255. */
  id: whole(1, limits.serverIdMax),
  role: z.enum(['voter', 'observer'], { error: 'voter or observer' }).default('voter'),
  /** Where the other servers and the clients find it; it listens there unless `host` says else. */
  host: text(),
  clientPort: port(1).default(defaultClientPort),
  peerPort: port(1).default(defaultPeerPort),
  adminPort: port(1).default(defaultAdminPort),
}
const secretError = {
  error: `a text of ${limits.secretCharactersMin} to ${limits.secretCharactersMax} characters`,
}

/**
 * All that a server can be told in plain data, by a program or in a config file: names (units at
 * their end), bounds, and what counts when nothing is said.
 */
export const serverOptionFields = {
  /** The data directory; made when it does not exist. */
  data: text(),
  /** What to listen on: by default loopback or, in an ensemble, the server's own host. */
  host: text().optional(),
  /** What clients connect to: 0 to 65,535, by default 7400. 0: any free one. Not with `servers`. */
  clientPort: port(0).optional(),
  /** Metrics and status over HTTP: 0 to 65,535, by default nowhere. Not with `servers`. */
  adminPort: port(0).optional(),
  /** 1 to 255, by default 1, and to be said with `servers`. A data directory belongs to the one
   * that it was made by. */
  serverId: whole(1, limits.serverIdMax).optional(),
  /** All servers of the ensemble, this one too, alike for each; by default this one alone. */
  servers: z
    .array(z.strictObject(serverFields), { error: 'a list of servers' })
    .min(1, { error: 'a list with at least one server' })
    .readonly()
    .optional(),
  /** What the servers of an ensemble prove to each other that they belong to it by. */
  secret: z
    .string(secretError)
    .min(limits.secretCharactersMin, secretError)
    .max(limits.secretCharactersMax, secretError)
    .transform((said) => new Secret(said))
    .optional(),
  /** A file whose first line is the secret. */
  secretFile: text().optional(),
  /**
   * The first election may be held by a majority of the voters, each new and told so; by default it
   * takes all of them. Refused as soon as a voter is not new.
   */
  bootstrap: z.boolean({ error: 'true or false' }).default(false),
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
export const optionsInOrder = z.superRefine<{
  readonly sessionTimeoutMsMin?: number | undefined
  readonly sessionTimeoutMsMax?: number | undefined
  readonly servers?: readonly { readonly id: number; readonly role: string }[] | undefined
  readonly clientPort?: number | undefined
  readonly adminPort?: number | undefined
  readonly secret?: unknown
  readonly secretFile?: unknown
}>((said, context) => {
  const fault = (message: string, ...path: (string | number)[]): void => {
    context.addIssue({ code: 'custom', path, message })
  }
  const { sessionTimeoutMsMin = 0, sessionTimeoutMsMax = Infinity, servers } = said
  if (sessionTimeoutMsMin > sessionTimeoutMsMax) {
    fault('at most sessionTimeoutMsMax', 'sessionTimeoutMsMin')
  }
  if (said.secret !== undefined && said.secretFile !== undefined) {
    fault('left out where secret is said', 'secretFile')
  }
  if (servers === undefined) return
  for (const key of ['clientPort', 'adminPort'] as const) {
    if (said[key] !== undefined) fault('said in servers, for each', key)
  }
  for (const [index, { id }] of servers.entries()) {
    if (servers.findIndex((other) => other.id === id) !== index) {
      fault('an id that no other server has', 'servers', index, 'id')
    }
  }
  if (servers.every(({ role }) => role === 'observer')) {
    fault('a list with at least one voter', 'servers')
  }
})

type Fields = z.ZodObject<typeof serverOptionFields>

/** What a server is started with. */
export type ServerOptions = Readonly<z.input<Fields>> & {
  /** Silent when absent. */
  readonly log?: Logger | undefined
}

/** One server of an ensemble, as all of them know it. */
export interface ServerEntry {
  readonly id: number
  readonly role: 'voter' | 'observer'
  readonly host: string
  readonly clientPort: number
  /** Null where there is nobody to speak to. */
  readonly peerPort: number | null
  /** Null: no admin HTTP. */
  readonly adminPort: number | null
}

/** The same with a value for everything that was not said. */
export interface ServerSettings
  extends
    Omit<
      Readonly<z.output<Fields>>,
      'host' | 'clientPort' | 'adminPort' | 'serverId' | 'servers' | 'secret' | 'secretFile'
    >,
    Pick<ServerOptions, 'log'> {
  readonly serverId: ServerId
  /** What every listener listens on. */
  readonly host: string
  readonly servers: readonly ServerEntry[]
  /** The one of them that this is. */
  readonly own: ServerEntry
  /** Null where there is nobody to prove anything to. */
  readonly secret: Secret | null
}

const optionsSchema = z
  .strictObject({
    ...serverOptionFields,
    log: z
      .custom<Logger>((log) => typeof (log as Logger | null)?.info === 'function', {
        error: 'a logger of pino',
      })
      .optional(),
  })
  .check(optionsInOrder)

type Parsed = z.output<typeof optionsSchema>

/** @throws StartError for what no server could run with: it names the option, value and bounds */
export const settingsOf = (options: ServerOptions): ServerSettings => {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) throw new StartError('options', `${optionFault(parsed.error, options)}.`)
  const { data: said } = parsed
  const { servers, own } = said.servers === undefined ? alone(said) : among(said, said.servers)
  const host = said.host ?? own.host
  if (!isLoopback(host) && !said.insecure) throw insecureError(host)
  const secret = servers.length === 1 ? null : secretOf(said)
  return { ...said, serverId: own.id as ServerId, host, servers, own, secret }
}

interface Place {
  readonly servers: readonly ServerEntry[]
  readonly own: ServerEntry
}

/** A server that was told of no others is an ensemble of its own. */
const alone = ({ serverId = 1, host = '127.0.0.1', clientPort, adminPort }: Parsed): Place => {
  const own: ServerEntry = {
    id: serverId,
    role: 'voter',
    host,
    clientPort: clientPort ?? defaultClientPort,
    peerPort: null,
    adminPort: adminPort ?? null,
  }
  return { servers: [own], own }
}

const among = ({ serverId }: Parsed, servers: readonly ServerEntry[]): Place => {
  const own = servers.find(({ id }) => id === serverId)
  if (own !== undefined) return { servers, own }
  const ids = servers.map(({ id }) => id).join(', ')
  throw new StartError(
    'options',
    serverId === undefined
      ? `say by serverId which of the servers ${ids} this one is.`
      : `serverId ${serverId} is none of the servers ${ids}: say which of them this one is.`,
    { option: 'serverId' },
  )
}

/** The secret said, or the first line of the file that was. */
const secretOf = ({ secret, secretFile }: Parsed): Secret => {
  if (secret !== undefined) return secret
  if (secretFile === undefined) {
    throw new StartError(
      'options',
      'say secret or secretFile, the same for every server: they prove by it that they belong ' +
        'together.',
    )
  }
  let line: string
  try {
    line = (readFileSync(secretFile, 'utf8').split('\n')[0] ?? '').trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartError('options', `the secretFile ${secretFile} cannot be read (${code}).`, {
      cause: error,
    })
  }
  if (line.length >= limits.secretCharactersMin && line.length <= limits.secretCharactersMax) {
    return new Secret(line)
  }
  throw new StartError('options', `the first line of ${secretFile} is not ${secretError.error}.`)
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)

const insecureError = (host: string): StartError =>
  new StartError(
    'insecure',
    `${host} is not a loopback address and there is no TLS yet: set insecure: true to listen ` +
      'there all the same, on a network that you trust.',
    { option: 'insecure' },
  )

/** The first fault in words: `clientPort is a whole number from 0 to 65535, not 70000`. */
export const optionFault = (
  { issues: [issue] }: z.core.$ZodError,
  options: unknown,
  namesAtTop: readonly string[] = Object.keys(serverOptionFields),
): string => {
  if (issue?.code === 'unrecognized_keys') {
    const [unknown = ''] = issue.keys
    const names = issue.path.length === 0 ? namesAtTop : Object.keys(serverFields)
    const meant = names.find((known) => lettersOf(known) === lettersOf(unknown))
    const hint = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`
    return `there is no option "${unknown}"; ${hint}`
  }
  if (issue === undefined || issue.path.length === 0) return 'the options are no names and values'
  const place = issue.path.join('.')
  if (place === 'secret') return `secret is ${issue.message}`
  const value = issue.path.reduce<unknown>(
    (holder, name) => (holder as Record<PropertyKey, unknown>)[name],
    options,
  )
  const shown = inspect(value, { depth: 0, maxStringLength: 60, breakLength: Infinity })
  return `${place} is ${issue.message}, not ${shown}`
}

/** `client_port`, `client-port` and `ClientPort` mean `clientPort`. */
const lettersOf = (name: string): string => name.toLowerCase().replace(/[^a-z]/g, '')
