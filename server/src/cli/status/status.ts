import { defaultAdminPort } from '@conclave/protocol'
import { z } from 'zod'
import { exitCodes } from '../exit-code.js'
import type { Output } from '../output/output.js'
import { tableText } from '../output/table.js'
import { escapeText } from '../output/escape.js'
import { durationText } from '../output/time.js'
import { serversIn } from '../serve/serve-config.js'
import { UsageError } from '../usage-error.js'

export interface StatusFlags {
  readonly config?: string
  readonly admin?: readonly string[]
  readonly json?: true
}

/** One row a server, also for those that do not answer. */
export const status = async (
  { config, admin, json }: StatusFlags,
  output: Output,
): Promise<number> => {
  const places = placesOf(config, admin)
  const asked = await Promise.all(places.map(askPlace))
  // On this machine nobody has said how many there are.
  const isGuess = config === undefined && admin === undefined
  const rows = isGuess ? asked.filter(({ server }) => server !== null) : asked
  if (json === true) await output.json(rows.map(forJson))
  else if (rows.length > 0) await output.result(tableText(columns, rows.map(cells)))
  const insecure = rows.flatMap(({ server }) => (server?.insecure === true ? [server.id] : []))
  if (insecure.length > 0) {
    const which = `server${insecure.length > 1 ? 's' : ''} ${insecure.join(', ')}`
    output.warn(`others on the network of ${which} can read and change what passes: no TLS`)
  }
  if (rows.every(({ server }) => server === null)) {
    const ports = `${defaultAdminPort} to ${defaultAdminPort + 3}`
    output.error(
      isGuess
        ? `no server answers on the admin ports ${ports} of this machine; start some with ` +
            '"conclave dev", or name others with --config or --admin'
        : 'no server answers',
    )
    return exitCodes.noServer.code
  }
  return exitCodes.ok.code
}

interface Place {
  readonly url: string
  /** Null when nobody has said so. */
  readonly id: number | null
}

interface Asked extends Place {
  readonly server: z.infer<typeof stateSchema> | null
  /** Null when it answered. */
  readonly why: string | null
}

const placesOf = (
  config: string | undefined,
  admin: readonly string[] | undefined,
): readonly Place[] => {
  if (config !== undefined && admin !== undefined) {
    throw new UsageError('give --config or --admin, not both')
  }
  if (admin !== undefined) return admin.map((text) => ({ id: null, url: urlOf(text) }))
  if (config === undefined) {
    return [1, 2, 3, 0].map((offset) => ({
      id: null,
      url: `http://127.0.0.1:${defaultAdminPort + offset}`,
    }))
  }
  const servers = serversIn(config)
  if (servers.length === 0) throw new UsageError(`${config} lists no servers`)
  return servers.map(({ id, host, adminPort = defaultAdminPort }) => ({
    id,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${adminPort}`,
  }))
}

const urlOf = (text: string): string => {
  const written = text.includes('://') ? text : `http://${text}`
  const url = URL.canParse(written) ? new URL(written) : null
  if (url?.protocol === 'http:') return url.origin
  throw new UsageError(`--admin is written http://host:port or host:port, not "${text}"`)
}

const askPlace = async (place: Place): Promise<Asked> => {
  try {
    const answer = await fetch(`${place.url}/status`, { signal: AbortSignal.timeout(answerMs) })
    if (!answer.ok) return { ...place, server: null, why: `answers ${answer.status}` }
    const parsed = stateSchema.safeParse(await answer.json())
    return parsed.success
      ? { ...place, server: parsed.data, why: null }
      : { ...place, server: null, why: 'no server of Conclave' }
  } catch (error) {
    const isSlow = error instanceof DOMException && error.name === 'TimeoutError'
    return { ...place, server: null, why: isSlow ? 'does not answer' : 'down' }
  }
}

const columns = [
  { title: 'ID', align: 'right' },
  { title: 'PID', align: 'right' },
  { title: 'ROLE' },
  { title: 'EPOCH', align: 'right' },
  { title: 'ZXID', align: 'right' },
  { title: 'SESSIONS', align: 'right' },
  { title: 'WATCHES', align: 'right' },
  { title: 'LAG', align: 'right' },
  { title: 'UPTIME', align: 'right' },
  { title: 'VERSION' },
  { title: 'ADMIN' },
] as const

const cells = ({ id, url, server, why }: Asked): readonly string[] => {
  if (server === null) {
    const unknown = columns.slice(3, -1).map(() => '-')
    return [id === null ? '-' : String(id), '-', why ?? '', ...unknown, url]
  }
  const { epoch, zxid, sessions, watches, lag } = server
  return [
    String(server.id),
    String(server.pid),
    server.role,
    ...[epoch, zxid, sessions, watches, lag].map(String),
    durationText(server.uptimeMs),
    escapeText(server.version),
    url,
  ]
}

const forJson = ({ id, url, server, why }: Asked): unknown =>
  server === null ? { id, admin: url, down: why } : { ...server, admin: url, down: null }

const count = z.int().min(0)
const stateSchema = z.looseObject({
  id: count,
  pid: count,
  role: z.enum(['looking', 'following', 'leading', 'observing']),
  epoch: count,
  zxid: count,
  sessions: count,
  watches: count,
  lag: count,
  uptimeMs: count,
  version: z.string().max(64),
  insecure: z.boolean(),
})

const answerMs = 2_000
