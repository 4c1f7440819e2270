import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownLoopback } from './own-loopback.js'

export interface ConfiguredServer {
  readonly id: number
  readonly host: string
  readonly clientPort: number
  readonly peerPort: number
  readonly adminPort: number
}

/**
 * The config file of an ensemble whose servers are processes of their own, on an address that
 * nobody else has, and its secret, in a directory that `conclave dev` takes for one of its own.
 */
export const writeEnsembleConfig = (
  directory: string,
  count: number,
): {
  readonly directory: string
  readonly config: string
  readonly servers: readonly ConfiguredServer[]
} => {
  const config = join(directory, 'ensemble.json')
  const host = ownLoopback()
  const servers = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    host,
    clientPort: 7_401 + index,
    peerPort: 7_501 + index,
    adminPort: 7_601 + index,
  }))
  writeFileSync(join(directory, 'secret'), 'a secret of the tests alone\n')
  writeFileSync(config, JSON.stringify({ servers, secretFile: './secret' }))
  return { directory, config, servers }
}
