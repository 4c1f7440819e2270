import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freeLoopback, pageAt } from './loopback.js'
import type { System } from './system.js'

/** `conclave serve` as an operator starts it, with the defaults. */
export const conclave: System = {
  name: 'conclave',
  missing: () => null,
  async prepare(directory, { size }) {
    const host = freeLoopback()
    const ids = Array.from({ length: size }, (_, index) => index + 1)
    const servers = ids.map((id) => ({
      id,
      host,
      clientPort: 7_400 + id,
      peerPort: 7_500 + id,
      adminPort: 7_600 + id,
    }))
    await mkdir(directory, { recursive: true })
    const config = join(directory, 'conclave.json')
    const secret = randomBytes(32).toString('hex')
    await writeFile(config, JSON.stringify({ servers, secret, logLevel: 'warn' }))
    const admin = (index: number): string => `http://${host}:${7_601 + index}`
    return {
      commands: ids.map((id) => {
        const data = join(directory, `server-${id}`)
        const said = ['--config', config, '--server-id', String(id), '--data', data]
        return {
          program: process.execPath,
          args: [command, 'serve', ...said],
          log: join(directory, `${id}.log`),
        }
      }),
      addresses: servers.map(({ clientPort }) => `${host}:${clientPort}`),
      async role(index) {
        const page = await pageAt(`${admin(index)}/status`)
        if (page === null) return null
        const { role, ready } = JSON.parse(page) as { role: string; ready: boolean }
        if (!ready) return null
        return role === 'leading' ? 'leading' : 'following'
      },
      async loopP99Ms(index) {
        const page = await pageAt(`${admin(index)}/metrics`)
        const [, seconds] = page?.match(loopDelay) ?? []
        return seconds === undefined ? null : Number(seconds) * 1_000
      },
    }
  },
}

const loopDelay = /^conclave_event_loop_delay_seconds\{quantile="0\.99"\} (\S+)$/m

const command = fileURLToPath(
  new URL('bin/conclave.js', import.meta.resolve('@conclave/server/package.json')),
)
