import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freeLoopback } from '../systems/loopback.js'
import type { Role, System } from '../systems/system.js'

/**
 * Apache ZooKeeper from the Debian package, with the settings of its sample for production
 * (zoo_sample.cfg) and the heap that its own start script gives it; nothing of /etc is read.
 */
export const zookeeper: System = {
  name: 'zookeeper',
  missing: () => (existsSync(jar) && existsSync(java) ? null : 'apt-get install zookeeper'),
  async prepare(directory, { size }) {
    const host = freeLoopback()
    const ids = Array.from({ length: size }, (_, index) => index + 1)
    const members = ids.map((id) => `server.${id}=${host}:${2_887 + id}:${3_887 + id}`)
    const addresses = ids.map((id) => `${host}:${2_180 + id}`)
    for (const id of ids) {
      const data = dataOf(directory, id)
      await mkdir(data, { recursive: true })
      await writeFile(join(data, 'myid'), String(id))
      const lines = [
        ...settings,
        `dataDir=${data}`,
        `clientPortAddress=${host}`,
        `clientPort=${2_180 + id}`,
        ...(size === 1 ? [] : members),
      ]
      await writeFile(configOf(directory, id), `${lines.join('\n')}\n`)
    }
    return {
      commands: ids.map((id) => ({
        program: java,
        args: [...javaOptions, '-cp', jar, main, configOf(directory, id)],
        log: join(directory, `${id}.log`),
      })),
      addresses,
      role: (index) => roleAt(addresses[index] as string),
      loopP99Ms: async () => null,
    }
  },
}

/** By the four-letter word `srvr`; null while it serves nobody. */
const roleAt = (address: string): Promise<Role | null> =>
  new Promise((resolve) => {
    const [host, port] = address.split(':') as [string, string]
    let said = ''
    const socket = connect({ host, port: Number(port) }, () => socket.write('srvr'))
    socket.setTimeout(answerMsMax, () => socket.destroy())
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      said += bytes.toString('latin1')
    })
    socket.once('close', () => {
      const [, mode] = said.match(/^Mode: (\w+)$/m) ?? []
      if (mode === undefined) resolve(null)
      else resolve(mode === 'follower' ? 'following' : 'leading')
    })
  })

const dataOf = (directory: string, id: number): string => join(directory, `server-${id}`)
const configOf = (directory: string, id: number): string => join(directory, `${id}.cfg`)

const settings = [
  'tickTime=2000',
  'initLimit=10',
  'syncLimit=5',
  // What refuses connections from one address says nothing about speed.
  'maxClientCnxns=0',
  'admin.enableServer=false',
  '4lw.commands.whitelist=srvr',
]

const java = '/usr/bin/java'
const jar = '/usr/share/java/zookeeper.jar'
const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain'
const javaOptions = ['-Xmx1000m', '-Dzookeeper.jmx.log4j.disable=true']
const answerMsMax = 2_000
