import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startTestServer, tempDirectory } from '../../support/server-kit.js'
import { writeEnsembleConfig } from '../../support/ensemble-config.js'
import { rowsOf, spawnConclave } from './process-kit.js'

t.test('CLI-33 dev runs an ensemble, says who dies, and stops all in order', async (t) => {
  const { config, directory } = writeEnsembleConfig(tempDirectory(t), 3)
  const dev = spawnConclave(t, ['dev', '--data', directory])
  await dev.stdout.seen('Ctrl-C stops all servers.\n')
  t.match(dev.stdout.text, /^Conclave is running at conclave:\/\/127[\d.:,]+\n3 servers, /)
  const rows = await rowsOf(t, '--config', config)
  t.strictSame(
    rows.map(({ id }) => id),
    [1, 2, 3],
  )
  for (const { id, pid } of rows) t.match(dev.stdout.text, `server ${id}  pid ${pid}  http://`)
  const second = await spawnConclave(t, ['dev', '--data', directory]).ended
  t.match(second, { code: 5, stdout: '', stderr: /in use by another Conclave server/ })
  const victim = rows.find(({ role }) => role === 'leading')
  process.kill(victim?.pid ?? 0, 'SIGKILL')
  await dev.stderr.seen(
    `server ${victim?.id} (pid ${victim?.pid}) ended by SIGKILL; the others go on`,
  )
  await dev.stderr.seen('leads in epoch 2')
  dev.kill('SIGINT')
  t.equal((await dev.ended).code, 0)
  for (const { pid } of rows) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

t.test('CLI-33 dev says what to do with a directory that is none of its own', async (t) => {
  const single = tempDirectory(t)
  await (await startTestServer(t, { data: single })).stop()
  t.match(await spawnConclave(t, ['dev', '--data', single]).ended, {
    code: 5,
    stdout: '',
    stderr: /holds the data of a single server: go on with it by "conclave serve --data /,
  })
  const foreign = tempDirectory(t)
  writeFileSync(join(foreign, 'letters.txt'), '')
  t.match(await spawnConclave(t, ['dev', '--data', foreign]).ended, {
    code: 5,
    stderr: /holds "letters.txt" and no "ensemble.json": name an empty or a new directory/,
  })
  const { directory } = writeEnsembleConfig(tempDirectory(t), 3)
  t.match(await spawnConclave(t, ['dev', '--data', directory, '--servers', '5']).ended, {
    code: 2,
    stderr: /holds an ensemble of 3 servers: start it with --servers 3/,
  })
})

t.test('CLI-33 the secret of an ensemble is made once and for its owner alone', async (t) => {
  const directory = join(tempDirectory(t), 'data')
  const dev = spawnConclave(t, ['dev', '--servers', '1', '--data', directory])
  await Promise.race([dev.stdout.seen('Ctrl-C stops all servers.\n'), dev.ended])
  dev.kill('SIGINT')
  await dev.ended
  const path = join(directory, 'secret')
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.match(readFileSync(path, 'utf8'), /^[0-9a-f]{64}\n$/)
  t.match(readFileSync(join(directory, 'ensemble.json'), 'utf8'), '"secretFile": "./secret"')
})
