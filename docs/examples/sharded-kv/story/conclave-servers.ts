import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { Processes } from './processes.js'

/** The Conclave servers: `conclave serve`, as anybody would run it. */
export class ConclaveServers {
  readonly #processes: Processes
  readonly #places: readonly Place[]

  private constructor(processes: Processes, places: readonly Place[]) {
    this.#processes = processes
    this.#places = places
  }

  static async start(processes: Processes, count: number): Promise<ConclaveServers> {
    const ports = await freePorts(3 * count)
    const port = (at: number): number => ports[at] as number
    const places = Array.from({ length: count }, (_, i) => ({
      id: i + 1,
      host: '127.0.0.1',
      clientPort: port(3 * i),
      peerPort: port(3 * i + 1),
      adminPort: port(3 * i + 2),
    }))
    const config = join(processes.directory, 'ensemble.json')
    writeFileSync(join(processes.directory, 'secret'), randomBytes(32).toString('hex'))
    writeFileSync(config, JSON.stringify({ servers: places, secretFile: './secret' }))
    for (const { id } of places) {
      const data = join(processes.directory, `server-${id}`)
      const flags = ['--server-id', String(id), '--data', data, '--until-input-ends']
      processes.spawn(nameOf(id), [programPath(), 'serve', '--config', config, ...flags])
    }
    return new ConclaveServers(processes, places)
  }

  get url(): string {
    const addresses = this.#places.map(({ host, clientPort }) => `${host}:${clientPort}`)
    return `conclave://${addresses.join(',')}`
  }

  /** @returns the number of the server that was the leader */
  async killLeader(): Promise<number> {
    for (const { id, host, adminPort } of this.#places) {
      const answer = await fetch(`http://${host}:${adminPort}/status`)
      const { role } = (await answer.json()) as { readonly role: string }
      if (role !== 'leading') continue
      await this.#processes.kill(nameOf(id))
      return id
    }
    throw new Error('no server leads')
  }
}

interface Place {
  readonly id: number
  readonly host: string
  readonly clientPort: number
  readonly peerPort: number
  readonly adminPort: number
}

const nameOf = (id: number): string => `conclave-${id}`

const programPath = (): string => {
  const manifest = createRequire(import.meta.url).resolve('@conclave/server/package.json')
  return join(dirname(manifest), 'bin', 'conclave.js')
}

/** All are held until the last one is found, so that no two are the same. */
const freePorts = async (count: number): Promise<readonly number[]> => {
  const holders = Array.from({ length: count }, () => createServer())
  const ports = holders.map(
    (holder) =>
      new Promise<number>((resolve, reject) => {
        holder.once('error', reject)
        holder.listen(0, '127.0.0.1', () => resolve((holder.address() as AddressInfo).port))
      }),
  )
  const found = await Promise.all(ports)
  await Promise.all(holders.map((holder) => new Promise((resolve) => holder.close(resolve))))
  return found
}
