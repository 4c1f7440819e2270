import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConnectError, SessionExpiredError } from '#client/index.js'
import * as sdk from '#client/index.js'
import { exitCodeOf, exitCodes } from '#server/cli/exit-code.js'
import type { Host } from '#server/cli/host.js'
import { Interrupted } from '#server/cli/interrupted.js'
import { sentenceOf } from '#server/cli/sentence.js'
import { UsageError } from '#server/cli/usage-error.js'
import { StartError } from '#server/start-error.js'
import { startTestServer, tempDirectory } from '../../support/server-kit.js'
import { cliOf, runCli, startCli } from './cli-kit.js'
import t from 'tap'

t.test('CLI-16 the exit code tells what happened', async (t) => {
  const codes: readonly (readonly [unknown, number])[] = [
    [new UsageError('x'), 2],
    [new sdk.BadArgumentsError(), 2],
    [new sdk.ConnectStringError(), 2],
    [new StartError('insecure', 'x'), 2],
    [new ConnectError(), 3],
    [new SessionExpiredError(), 4],
    [new sdk.NoNodeError({ outcome: 'unknown' }), 4],
    [new DOMException('x', 'TimeoutError'), 4],
    [new StartError('portInUse', 'x'), 5],
    [new sdk.NoNodeError(), 10],
    [new sdk.NodeExistsError(), 11],
    [new sdk.BadVersionError(), 12],
    [new sdk.NotEmptyError(), 13],
    [new sdk.NoAuthError(), 14],
    [new sdk.AuthFailedError(), 14],
    [new sdk.FencedError(), 15],
    [new sdk.NoSpaceError(), 16],
    [new sdk.InternalError(), 1],
    [new Error('x'), 1],
    [new Interrupted('SIGINT'), 130],
    [new Interrupted('SIGTERM'), 143],
  ]
  for (const [error, code] of codes) t.equal(exitCodeOf(error), code, String(error))
  const help = (await runCli(['--help'])).stdout
  for (const { code, means } of Object.values(exitCodes)) {
    t.match(help.replaceAll(/\s+/g, ' '), ` ${code} ${means}`, 'it is documented')
  }
})

t.test('CLI-16 commands end with these codes', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const code = async (...words: readonly string[]): Promise<number> => (await cli(words)).code
  await cli(['create', '-p', '/a/b'])
  t.equal(await code('get', '/none'), 10)
  t.equal(await code('create', '/a'), 11)
  t.equal(await code('set', '/a', 'x', '-v', '9'), 12)
  t.equal(await code('delete', '/a'), 13)
  t.equal(await code('get', '/a//b'), 2)
})

t.test('CLI-17 every mistake gets one sentence that says what to do, and no stack', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const refused = async (words: readonly string[], sentence: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await cli(words)
    t.not(code, 0, words.join(' '))
    t.equal(stdout, '')
    t.match(stderr, sentence)
    t.match(stderr, /^conclave: [^\n]+\n$/, 'one line')
  }
  await refused(['lss'], /unknown command 'lss' \(Did you mean ls\?\); "conclave --help"/)
  await refused(['--connect', 'x', 'ls'], /options come after it/)
  await refused(['ls', '--nope'], /unknown option '--nope'; "conclave ls --help"/)
  await refused(['get'], /missing required argument 'path'/)
  await refused(['get', 'a'], /write \/a/)
  await refused(['create', '/a/b/c'], /create its parent first, or add -p/)
  await refused(['ls', '--connect', 'http://x'], /write --connect host:port/)
  await refused(['ls', '--timeout', 'soon'], /--timeout is a time/)
  await refused(['ls', '--auth', 'bob'], /credentials are written user:password/)
  await refused(['inspect'], /say which: log, snapshot/)
  for (const word of ['e30', 'zzz', Buffer.from('{"zxid":-1}').toString('base64url')]) {
    await refused(['watch', '/', '--from', word], /--from takes a position as "watch" prints it/)
  }
  const other = tempDirectory(t)
  writeFileSync(join(other, 'conclave-data'), 'conclave data 9\n')
  await refused(['inspect', 'log', other], /written with data version 9/)
  await refused(['serve'], /--data DIR/)
  await refused(['serve', '--data', '/x', '--log-level', 'all'], /Allowed choices are trace, debug/)
  await refused(['serve', '--data', '/x', '--host', '0.0.0.0'], /the flag for that is --insecure/)
  await refused(['serve', '--config', '/no/where'], /config file \/no\/where cannot be read/)
})

t.test('CLI-30 help is there by word and by flag, for all and for each', async (t) => {
  const overview = await runCli(['--help'])
  t.match(overview, { code: 0, stderr: '', stdout: /^Usage: conclave <command>/ })
  t.strictSame(await runCli(['help']), overview)
  const names = [...overview.stdout.matchAll(/^ {2}([a-z]+)(?:\|\w+)?\b.* {2}/gm)].map(
    ([, name = '']) => name,
  )
  t.ok(names.includes('serve') && names.includes('whoami') && names.length > 14)
  for (const name of names) {
    const help = await runCli(['help', name])
    t.match(help, { code: 0, stderr: '', stdout: new RegExp(`^Usage: conclave ${name}\\b`) }, name)
    t.strictSame(await runCli([name, '--help']), help)
  }
  t.match(await runCli(['help', 'nope']), { code: 2, stderr: /unknown command 'nope'/ })
})

t.test('CLI-17 an unexpected fault says how to see more, and then shows it', async (t) => {
  t.match(sentenceOf(new Error('boom')), /^unexpected fault: boom; CONCLAVE_DEBUG=1/)
  const connect = () => Promise.reject(new Error('boom'))
  t.notMatch((await runCli(['ls'], { connect })).stderr, /\n +at /)
  t.match((await runCli(['ls'], { connect, env: { CONCLAVE_DEBUG: '1' } })).stderr, /\n +at /)
})

t.test('CLI-17 without a server it says how to start one', async (t) => {
  const server = await startTestServer(t)
  await server.stop()
  const { code, stderr } = await cliOf(server)(['ls', '--timeout', '50'])
  t.equal(code, 3)
  t.match(stderr, /no server answered within 50 ms: .*; start a server with "conclave serve/)
})

t.test('CLI-29 a person is told that no server has answered yet, and for how long', async (t) => {
  const connect: Host['connect'] = (_servers, { signal } = {}) =>
    new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error))
    })
  const piped = startCli(['ls', '--timeout', '90s'], { connect })
  const watched = startCli(['ls', '--timeout', '90s'], { connect, isTerminal: true })
  await watched.stderr.seen('no server at conclave://127.0.0.1:7400 yet; trying for 90 s')
  watched.signal('SIGINT')
  t.equal((await watched.ended).code, 130)
  t.equal(piped.stderr.text, '', 'a script hears of the end alone')
  piped.signal('SIGINT')
  await piped.ended
})

t.test('CLI-17 no password is in anything that is printed', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const runs = await Promise.all([
    cli(['ls', '--auth', 'sesame']),
    cli(['ls', '--auth', ':sesame']),
    cli(['ls'], { env: { CONCLAVE_AUTH: 'sesame' } }),
    cli(['whoami', '--auth', 'bob:sesame']),
    cli(['ls', '--auth', `bob:sesame${'x'.repeat(300)}`]),
  ])
  for (const { stdout, stderr } of runs) t.notMatch(stdout + stderr, /sesame/)
})

t.test('CLI-18 a signal ends a command in order, a second one at once', async (t) => {
  const server = await startTestServer(t)
  const env = { CONCLAVE_CONNECT: server.url }
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const watch = startCli(['watch', '/'], { env })
    await watch.stderr.seen('watching /')
    watch.signal(signal)
    t.equal((await watch.ended).code, code)
    t.strictSame(watch.exits, [])
    const connect = () => new Promise<never>(() => {})
    const stuck = startCli(['ls'], { connect })
    stuck.signal(signal)
    t.strictSame(stuck.exits, [])
    stuck.signal(signal)
    t.strictSame(stuck.exits, [code])
  }
  const input = startCli(['create', '/x', '-'], { env, stdin: null, isTerminal: true })
  await input.stderr.seen('end the input with Ctrl-D')
  input.signal('SIGINT')
  t.equal((await input.ended).code, 130, 'also while it reads')
})

t.test('CLI-18 results go to stdout, everything else to stderr', async (t) => {
  const server = await startTestServer(t)
  const cli = cliOf(server)
  t.strictSame(await cli(['create', '/a', '1']), { code: 0, stdout: '/a\n', stderr: '' })
  t.match(await cli(['create', '-e', '/e']), { stdout: '/e\n', stderr: /vanishes/ })
  t.match(await runCli(['--help']), { code: 0, stderr: '', stdout: /^Usage: conclave/ })
  t.match(await runCli(['get', '--help']), { code: 0, stderr: '', stdout: /Examples:\n {2}get/ })
  t.match(await runCli([]), { code: 2, stdout: '', stderr: /^Usage: conclave/ })
  t.match(await runCli(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+/ })
})

t.test('CLI-18 a lost connection is said, and waited out', async (t) => {
  const server = await startTestServer(t)
  const watch = startCli(['watch', '/'], { env: { CONCLAVE_CONNECT: server.url } })
  await watch.stderr.seen('watching /')
  await server.stop()
  await watch.stderr.seen(/the connection is lost \(.*\); waiting for a server\n/)
  watch.signal('SIGINT')
  t.equal((await watch.ended).code, 130)
})
