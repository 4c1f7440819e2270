import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freeLoopback, pageAt } from '../systems/loopback.js'
import type { Role, System } from '../systems/system.js'

/** etcd from the Debian package with its defaults, and room for the writes of a benchmark. */
export const etcd: System = {
  name: 'etcd',
  missing: () => (existsSync(program) ? null : 'apt-get install etcd-server'),
  async prepare(directory, { size }) {
    const host = freeLoopback()
    const ids = Array.from({ length: size }, (_, index) => index + 1)
    const clientUrl = (id: number): string => `http://${host}:${20_000 + id}`
    const peerUrl = (id: number): string => `http://${host}:${21_000 + id}`
    const cluster = ids.map((id) => `e${id}=${peerUrl(id)}`).join(',')
    await mkdir(directory, { recursive: true })
    return {
      commands: ids.map((id) => ({
        program,
        args: flagsOf({
          ...settings,
          name: `e${id}`,
          'data-dir': join(directory, `server-${id}`),
          'listen-peer-urls': peerUrl(id),
          'initial-advertise-peer-urls': peerUrl(id),
          'listen-client-urls': clientUrl(id),
          'advertise-client-urls': clientUrl(id),
          'initial-cluster': cluster,
          'initial-cluster-state': 'new',
        }),
        log: join(directory, `${id}.log`),
      })),
      addresses: ids.map((id) => `${host}:${20_000 + id}`),
      role: (index) => roleAt(clientUrl(index + 1)),
      loopP99Ms: async () => null,
    }
  },
}

const roleAt = async (url: string): Promise<Role | null> => {
  const page = await pageAt(`${url}/v3/maintenance/status`, '{}')
  if (page === null) return null
  const { header, leader } = JSON.parse(page) as Status
  if (leader === undefined || leader === '0') return null
  return leader === header.member_id ? 'leading' : 'following'
}

interface Status {
  readonly header: { readonly member_id: string }
  readonly leader?: string
}

const program = '/usr/bin/etcd'
const settings = {
  logger: 'zap',
  'log-outputs': 'stderr',
  'log-level': 'error',
  // The most that its documentation recommends; by default it stops at 2 GiB.
  'quota-backend-bytes': String(8 * 2 ** 30),
}

const flagsOf = (flags: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
