import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tempDirectory } from '../../support/server-kit.js'
import { spawnConclave, spawnServer } from './process-kit.js'
import t from 'tap'

t.test('CLI-26 serve says how to connect, serves, and stops in order at a signal', async (t) => {
  const data = join(tempDirectory(t), 'deep', 'data')
  const server = await spawnServer(t, data)
  const { url } = server
  t.match(server.stdout.text, `Conclave is running at ${url}, its data is in ${data}\n`)
  t.match(server.stdout.text, `npx conclave shell --connect ${url.replace('conclave://', '')}\n`)
  const env = { CONCLAVE_CONNECT: url }
  t.match(await spawnConclave(t, ['create', '/a', 'kept'], env).ended, { code: 0, stderr: '' })
  server.kill('SIGTERM')
  const { code, stderr } = await server.ended
  t.equal(code, 0)
  const log = stderr.trimEnd().split('\n')
  t.match(JSON.parse(log[0] ?? ''), { level: 30, msg: String })
  t.match(stderr, /"msg":"serving"(.|\n)*"msg":"stopped"/)
  t.equal(statSync(data).mode & 0o777, 0o700)
  const inspected = await spawnConclave(t, ['inspect', 'log', data]).ended
  t.match(inspected.stdout, /end mark/)

  const again = await spawnServer(t, data, '--log-level', 'warn', '--log-format', 'pretty')
  const get = spawnConclave(t, ['get', '/a', '--connect', again.url.replace('conclave://', '')])
  t.equal((await get.ended).stdout, 'kept\n')
  again.kill('SIGINT')
  t.match(await again.ended, { code: 0, stderr: '' }, 'nothing to warn of')
})

t.test('CLI-26 a config file says what flags would', async (t) => {
  const directory = tempDirectory(t)
  const config = join(directory, 'conclave.yaml')
  writeFileSync(config, 'data: ./data\nclientPort: 0\nadminPort: 0\nlogLevel: silent\n')
  const server = spawnConclave(t, ['serve', '--config', config])
  await server.stdout.seen(`its data is in ${directory}/data\n`)
  server.kill('SIGTERM')
  t.match(await server.ended, { code: 0, stderr: '' })
})

t.test('CLI-27 a server that cannot start says why in one sentence', async (t) => {
  const directory = tempDirectory(t)
  const data = join(directory, 'data')
  const refused = async (words: readonly string[], sentence: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await spawnConclave(t, ['serve', ...words]).ended
    t.equal(code, 5, words.join(' '))
    t.equal(stdout, '')
    t.match(stderr, sentence)
    t.match(stderr, /^conclave: [^\n]+\n$/)
  }
  const server = await spawnServer(t, data)
  const port = new URL(server.url).port
  await refused(
    ['--data', data, '--client-port', '0'],
    /is in use by another Conclave server.*--data/,
  )
  await refused(
    ['--data', `${data}2`, '--client-port', port],
    /port \d+ .* is in use: .*--client-port/,
  )
  const other = join(directory, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'conclave-data'), 'conclave data 9\n')
  await refused(['--data', other, '--client-port', '0'], /written with data version 9/)
  const foreign = join(directory, 'foreign')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'letters.txt'), '')
  await refused(
    ['--data', foreign, '--client-port', '0'],
    /is not a Conclave data directory.*--data/,
  )
  await refused(['--data', join(foreign, 'letters.txt')], /a part of this path is a file/)
})

t.test(
  'CLI-28 a signal or a reader that has gone ends a command with the usual code',
  async (t) => {
    const { url } = await spawnServer(t, tempDirectory(t), '--log-level', 'silent')
    const env = { CONCLAVE_CONNECT: url }
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const watch = spawnConclave(t, ['watch', '/'], env)
      await watch.stderr.seen('watching /')
      watch.kill(signal)
      t.equal((await watch.ended).code, code)
    }
    const watch = spawnConclave(t, ['watch', '-r', '/'], env)
    await watch.stderr.seen('watching /')
    watch.closeStdout()
    await spawnConclave(t, ['create', '/a'], env).ended
    const { code, stderr } = await watch.ended
    t.equal(code, 141)
    t.notMatch(stderr, /EPIPE/)
  },
)

t.test('CLI-28 all that is printed arrives, however much it is', async (t) => {
  const { url } = await spawnServer(t, tempDirectory(t), '--log-level', 'silent')
  const env = { CONCLAVE_CONNECT: url }
  const data = 'x'.repeat(1_000_000)
  const create = spawnConclave(t, ['create', '/big', '-'], env)
  create.stdin.end(data)
  t.match(await create.ended, { code: 0, stdout: '/big\n' })
  t.equal((await spawnConclave(t, ['get', '--raw', '/big'], env).ended).stdout, data)
  const script = spawnConclave(t, ['shell'], env)
  script.stdin.end('get /big\nget /none\nget /big\n')
  const { code, stdout, stderr } = await script.ended
  t.equal(code, 10)
  t.equal(stdout, `${data}\n`)
  t.match(stderr, /^conclave: line 2: \/none does not exist\n$/)
})
