import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { startEnsemble } from '#server/main.js'
import t from 'tap'
import { startTestServer, tempDirectory } from '../../support/server-kit.js'
import { writeEnsembleConfig } from '../../support/ensemble-config.js'
import { rowsOf, spawnConclave, spawnServer } from './process-kit.js'

t.test('CLI-31 a config file lists the servers, and a flag says which one this is', async (t) => {
  const { config, directory } = writeEnsembleConfig(tempDirectory(t), 1)
  const words = ['serve', '--config', config, '--data', join(directory, 'd')]
  const none = await spawnConclave(t, words).ended
  t.match(none, { code: 2, stderr: /say by serverId which of the servers 1 .*--server-id/ })
  const other = await spawnConclave(t, [...words, '--server-id', '7']).ended
  t.match(other, { code: 2, stderr: /serverId 7 is none of the servers 1/ })
  const server = spawnConclave(t, [...words, '--server-id', '1', '--log-level', 'silent'])
  await server.stdout.seen('Ctrl-C stops it.\n')
  t.match(server.stdout.text, /Metrics and status: http:\/\/127\.[\d.]+:\d+\/status/)
  server.kill('SIGTERM')
  t.match(await server.ended, { code: 0 })
})

t.test('CLI-32 status shows one row a server, also for one that is down', async (t) => {
  const ensemble = await startEnsemble()
  t.teardown(() => ensemble.stop())
  const stopped = ensemble.servers.find((server) => server !== ensemble.leader)
  const admins = ensemble.servers.flatMap(({ adminUrl }) => ['--admin', adminUrl])
  const roles = (await rowsOf(t, ...admins)).map(({ role }) => role).sort()
  t.strictSame(roles, ['following', 'following', 'leading'])
  await stopped?.stop()
  const rows = await rowsOf(t, ...admins)
  t.strictSame(rows.filter(({ down }) => down === 'down').length, 1)
  const { code, stdout } = await spawnConclave(t, ['status', ...admins]).ended
  t.equal(code, 0)
  const lines = stdout.trimEnd().split('\n')
  t.match(lines[0], /^ID +PID +ROLE +EPOCH +ZXID +SESSIONS +WATCHES +LAG +UPTIME +VERSION +ADMIN$/)
  t.equal(lines.length, 4)
  t.match(lines[stopped?.id ?? 0], / down .* - .*http:/)
  await ensemble.stop()
  t.match(await spawnConclave(t, ['status', ...admins]).ended, { code: 3, stderr: /no server/ })
  const bad = await spawnConclave(t, ['status', '--admin', 'ftp://x']).ended
  t.match(bad, { code: 2, stderr: /--admin is written http:\/\/host:port/ })
})

t.test('CLI-36 status warns of a server that others can reach without TLS', async (t) => {
  const place = { host: '0.0.0.0', adminPort: 0, insecure: true }
  const open = await startTestServer(t, place)
  const closed = await startTestServer(t, { adminPort: 0 })
  const ask = (...servers: { readonly adminPort: number | null }[]) =>
    spawnConclave(t, [
      'status',
      ...servers.flatMap(({ adminPort }) => ['--admin', `127.0.0.1:${adminPort}`]),
    ]).ended
  t.match(await ask(closed, open), { code: 0, stderr: /network of server 1 can read .* no TLS/ })
  t.match(await ask(closed), { code: 0, stderr: '' })
})

t.test('CLI-34 rejoin sets data aside, but not under a server, nor of one alone', async (t) => {
  const data = join(tempDirectory(t), 'data')
  const server = await spawnServer(t, data, '--log-level', 'silent')
  const rejoin = (...words: readonly string[]) =>
    spawnConclave(t, ['rejoin', '--data', data, ...words]).ended
  t.match(await rejoin('--lose-data'), { code: 5, stderr: /in use by another Conclave server/ })
  server.kill('SIGTERM')
  await server.ended
  t.match(await rejoin(), { code: 5, stderr: /a server that is alone.*--lose-data/ })
  const { code, stdout } = await rejoin('--lose-data')
  t.equal(code, 0)
  t.match(stdout, `What was in ${data} is in ${data}-aside-1 now.`)
  t.ok(readdirSync(`${data}-aside-1`).some((name) => /^log-\d/.test(name)))
  t.strictSame(readdirSync(data), ['conclave-data'])
  const nothing = await rejoin('--lose-data')
  t.match(nothing, { code: 5, stderr: /has never held anything/ })
  const foreign = await spawnConclave(t, ['rejoin', '--data', tempDirectory(t)]).ended
  t.match(foreign, { code: 5, stderr: /is no data directory of Conclave/ })
})

t.test('CLI-34 a server that rejoins is taught by the others', async (t) => {
  const data = tempDirectory(t)
  const ensemble = await startEnsemble({ data })
  t.teardown(() => ensemble.stop())
  const follower = ensemble.servers.find((server) => server !== ensemble.leader)
  if (follower === undefined) throw new Error('nobody follows')
  const ensembleId = ensemble.leader?.status?.ensembleId
  await follower.stop()
  const own = join(data, `server-${follower.id}`)
  t.match(await spawnConclave(t, ['rejoin', '--data', own]).ended, { code: 0 })
  t.strictSame(readdirSync(own).sort(), ['conclave-data', 'hard-state'])
  t.ok(existsSync(`${own}-aside-1`))
  await follower.start()
  t.match(follower.status, { role: 'following', ensembleId })
})

t.test('CLI-35 a server ends with the input of the one that started it', async (t) => {
  const server = await spawnServer(t, tempDirectory(t), '--until-input-ends')
  server.stdin.end()
  t.match(await server.ended, { code: 0, stderr: /"msg":"stopped"/ })
})
