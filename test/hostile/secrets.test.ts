import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from '#client/index.js'
import t from 'tap'
import {
  attachRaw,
  connectFrame,
  createOp,
  handshakeStatus,
  openRaw,
} from '../support/raw-client.js'
import { packByHand } from '../support/hand-msgpack.js'
import { spawnServer } from '../server/cli/process-kit.js'
import { tempDirectory } from '../support/server-kit.js'
import { fileNames, goneWith, startTarget } from './hostile-kit.js'

/** Planted where secrets go; in no log, error or name of a file may they come up again. */
const canaries = { password: 'canary-password-7f3a', nonce: 'canary-nonce-16b' } as const
const nonce = Buffer.from(canaries.nonce)
const formsOf = (secret: string): readonly string[] => [
  secret,
  Buffer.from(secret).toString('hex'),
  Buffer.from(secret).toString('base64'),
  [...Buffer.from(secret)].join(','),
]
const allForms = Object.values(canaries).flatMap(formsOf)
const found = (text: string): readonly string[] => allForms.filter((form) => text.includes(form))

t.test('SESSION-18 SDK-32 no secret reaches a log, an error or a file', async (t) => {
  const target = await startTarget(t, { snapshotTxns: 20 })
  const good = await attachRaw(t, target.port, { nonce })
  const { sessionId, ensembleId } = good.connected
  const auth = { op: 'auth', scheme: 'digest', user: 'u', password: canaries.password } as const
  await good.result(auth)
  const errors: string[] = []
  const refusals = [
    { ...auth, user: '' },
    { ...auth, user: `a:${canaries.password}` },
    { ...auth, password: canaries.password.repeat(100) },
    { ...auth, scheme: 'other' },
  ]
  for (const op of refusals) errors.push(JSON.stringify((await good.ask(op)).failure))
  for (const wrong of [
    { sessionId, ensembleId, nonce: Buffer.from(nonce).fill(0, 0, 1) },
    { ensembleId: canaries.nonce, nonce },
    { version: 99, nonce },
    { nonce: Buffer.concat([nonce, nonce]) },
  ]) {
    const client = await openRaw(t, target.port)
    client.send(connectFrame(wrong))
    await client.closed
    errors.push(JSON.stringify(client.frames))
  }
  const misshapen = await attachRaw(t, target.port)
  misshapen.socket.send(packByHand([[2, 1, 0, 0, [20, 'digest', 5, canaries.password]]]))
  await goneWith(t, misshapen, 'badFrame')
  for (const headers of [
    { authorization: `Bearer ${canaries.password}` },
    { cookie: `session=${canaries.nonce}`, host: 'evil.example' },
  ]) {
    await handshakeStatus(target.port, { headers })
  }
  const url = `conclave://127.0.0.1:${target.port}`
  const identity = { scheme: 'digest', user: 'a:b', password: canaries.password } as const
  await connect(url, { auth: [identity] }).then(
    () => t.fail('a refused identity is accepted'),
    (error: Error) => errors.push(String(error.stack), JSON.stringify(error)),
  )
  for (let i = 0; i < 30; i++) await target.progress()
  await target.log.next(({ msg }) => msg === 'snapshotStarted')
  good.socket.terminate()
  await target.settled()
  t.strictSame(found(JSON.stringify(target.log.lines)), [], 'logs')
  t.strictSame(found(errors.join('\n')), [], 'errors')
  t.strictSame(found(JSON.stringify(target.status())), [], 'status')
  const names = fileNames(target.directory)
  t.strictSame(found(names.join('\n')), [], 'file names')
  for (const name of names) {
    const path = join(target.directory, name)
    if (statSync(path).isFile()) t.strictSame(found(readFileSync(path, 'latin1')), [], name)
  }
})

/** Without a colon, which no user may have. */
const injected = '\n{"level"}\r\n12.00.00 INFO injected\u001b[2J\u0007\n'

for (const format of ['json', 'pretty']) {
  t.test(`CLI-4 nobody writes lines of his own into a ${format} log`, async (t) => {
    const flags = ['--log-level', 'debug', '--log-format', format]
    const server = await spawnServer(t, join(tempDirectory(t), 'data'), ...flags)
    const port = Number(new URL(server.url).port)
    const client = await attachRaw(t, port)
    const auth = { op: 'auth', scheme: 'digest', user: injected, password: 'p' } as const
    t.equal((await client.ask(auth)).failure, null)
    await client.ask({ ...auth, scheme: injected })
    await client.ask(createOp(`/${injected}`))
    const other = await openRaw(t, port)
    other.send(connectFrame({ ensembleId: injected }))
    await other.closed
    const bad = await openRaw(t, port)
    bad.socket.send(injected)
    await bad.closed
    await handshakeStatus(port, { headers: { host: 'evil{"msg":"injected"}' } })
    server.kill('SIGTERM')
    const { stderr } = await server.ended
    const lines = stderr.trimEnd().split('\n')
    t.match(stderr, /authenticated/)
    for (const line of lines) {
      if (format === 'json') t.type((JSON.parse(line) as { msg: string }).msg, 'string')
      else t.match(line, /^\[?\d\d:\d\d:\d\d\.\d{3}\]? [A-Z]+/)
      const codes = Array.from(line, (character) => character.codePointAt(0) ?? 0)
      t.notOk(codes.some((code) => code < 32 || (code >= 127 && code < 160)))
    }
  })
}
