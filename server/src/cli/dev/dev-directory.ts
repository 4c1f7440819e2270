import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultAdminPort, defaultClientPort, defaultPeerPort, limits } from '@conclave/protocol'
import { StartError } from '../../start-error.js'
import { fileError } from '../read-input.js'
import { serversIn } from '../serve/serve-config.js'
import { quoteWord } from '../split-words.js'
import { UsageError } from '../usage-error.js'

/** The directory of an ensemble of `conclave dev`: one config file for all, and each one's data. */
export interface DevDirectory {
  readonly config: string
  readonly servers: readonly DevServer[]
}

export interface DevServer {
  readonly id: number
  readonly host: string
  readonly clientPort: number
  readonly adminPort: number
  readonly data: string
}

/**
 * Makes it, or opens one that was made before, which keeps its servers.
 *
 * @param count how many servers; null for as many as there are, or three
 * @throws UsageError or StartError with what to do
 */
export const openDevDirectory = (directory: string, count: number | null): DevDirectory => {
  const config = join(directory, configName)
  try {
    if (!existsSync(config)) make(directory, count ?? 3)
  } catch (error) {
    if (error instanceof StartError || error instanceof UsageError) throw error
    throw fileError(error, `the directory ${directory} cannot be used`)
  }
  const servers = serversIn(config).map((server) => ({
    id: server.id,
    host: server.host,
    clientPort: server.clientPort ?? defaultClientPort,
    adminPort: server.adminPort ?? defaultAdminPort,
    data: join(directory, `server-${server.id}`),
  }))
  if (count === null || count === servers.length) return { config, servers }
  throw new UsageError(
    `${quoteWord(directory)} holds an ensemble of ${servers.length} servers: start it with ` +
      `--servers ${servers.length}, or name another directory with --data`,
  )
}

const make = (directory: string, count: number): void => {
  if (count === 0) throw new UsageError('--servers is at least 1')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const names = readdirSync(directory)
  if (names.includes('conclave-data')) {
    const word = quoteWord(directory)
    throw new StartError(
      'dataDirectory',
      `${word} holds the data of a single server: go on with it by "conclave serve --data ` +
        `${word}", or name another directory for an ensemble.`,
      { option: 'data' },
    )
  }
  const foreign = names.find((name) => name !== secretName)
  if (foreign !== undefined) {
    throw new StartError(
      'dataDirectory',
      `${quoteWord(directory)} holds "${foreign}" and no "${configName}": name an empty or a new ` +
        'directory.',
      { option: 'data' },
    )
  }
  const secret = randomBytes(limits.peerChallengeBytes).toString('hex')
  writeFileSync(join(directory, secretName), `${secret}\n`, { mode: 0o600 })
  const servers = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    host: '127.0.0.1',
    clientPort: defaultClientPort + index + 1,
    peerPort: defaultPeerPort + index + 1,
    adminPort: defaultAdminPort + index + 1,
  }))
  const text = JSON.stringify({ secretFile: `./${secretName}`, servers }, null, 2)
  // Last: with it the directory is one of an ensemble.
  writeFileSync(join(directory, configName), `${text}\n`)
}

const configName = 'ensemble.json'
const secretName = 'secret'
