import type { AuthOptions, Client, WaitOptions } from '@conclave/client'
import type { CommandOption } from './command.js'
import type { Host } from './host.js'
import { answerTimeoutMs, connectTimeoutMs, noServerNoteMs, timeoutMaxMs } from './limits.js'
import { credentials, duration } from './parse-options.js'
import type { Output } from './output/output.js'
import { durationText } from './output/time.js'
import { UsageError } from './usage-error.js'

export interface ConnectionFlags {
  readonly connect?: string
  readonly auth?: readonly AuthOptions[]
  readonly timeout?: number
}

const defaultConnect = 'conclave://127.0.0.1:7400'

export const timeoutOption: CommandOption = {
  flags: '--timeout <time>',
  help: 'how long to wait for a server, and for each answer (default: 5s and 10s)',
  parse: (text) => Math.min(duration('--timeout')(text), timeoutMaxMs),
}

export const connectionOptions: readonly CommandOption[] = [
  {
    flags: '--connect <servers>',
    help: `host:port,host:port/path (default: $CONCLAVE_CONNECT or ${defaultConnect})`,
  },
  {
    flags: '--auth <user:password>',
    help: 'who to be; others on this machine can see it, so better in $CONCLAVE_AUTH',
    parse: credentials,
    isRepeated: true,
  },
  timeoutOption,
]

export const connectStringOf = ({ connect }: ConnectionFlags, env: Host['env']): string => {
  const fromEnv = env['CONCLAVE_CONNECT']
  return connect ?? (fromEnv === undefined || fromEnv === '' ? defaultConnect : fromEnv)
}

export const authOf = ({ auth }: ConnectionFlags, env: Host['env']): readonly AuthOptions[] => {
  if (auth !== undefined) return auth
  const fromEnv = env['CONCLAVE_AUTH']
  if (fromEnv === undefined || fromEnv === '') return []
  try {
    return [credentials(fromEnv)]
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`CONCLAVE_AUTH: ${error.message}`) : error
  }
}

/** Opens a session, and from then on tells when no server can be reached. */
export const openClient = async (
  flags: ConnectionFlags,
  { host, output, signal }: { host: Host; output: Output; signal: AbortSignal },
): Promise<Client> => {
  const servers = connectStringOf(flags, host.env)
  const timeoutMs = flags.timeout ?? connectTimeoutMs
  // A server that restarts, or an election, is worth a wait, but a person should know of it.
  const note = setTimeout(() => {
    if (host.stderr.isTTY !== true) return
    output.note(`no server at ${servers} yet; trying for ${durationText(timeoutMs)}, Ctrl-C ends`)
  }, noServerNoteMs)
  let client: Client
  try {
    client = await host.connect(servers, {
      connectTimeoutMs: timeoutMs,
      auth: authOf(flags, host.env),
      signal,
    })
  } finally {
    clearTimeout(note)
  }
  let isLost = false
  client.on('state', ({ state, reason }) => {
    if (state === 'suspended' && !isLost) {
      isLost = true
      output.warn(
        `the connection is lost${reason === null ? '' : ` (${reason})`}; waiting for a server`,
      )
    }
    if (state === 'connected' && isLost) {
      isLost = false
      output.note('connected again')
    }
  })
  return client
}

/** The waits of a command. */
export const waitsOf = (
  { timeout }: ConnectionFlags,
  signal: AbortSignal,
): { readonly wait: WaitOptions; readonly longWait: WaitOptions } => ({
  wait: { signal, timeoutMs: timeout ?? answerTimeoutMs },
  longWait: timeout === undefined ? { signal } : { signal, timeoutMs: timeout },
})
