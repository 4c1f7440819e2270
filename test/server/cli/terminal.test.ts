import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningServer } from '#server/main.js'
import { startTestServer, tempDirectory } from '../../support/server-kit.js'
import { cliOf, type CliOptions, type Running, startCli } from './cli-kit.js'
import t from 'tap'

const prompt = '/> '

/** A shell at a terminal, up to its first prompt. */
const openShell = async (
  { url }: RunningServer,
  { env = {} }: CliOptions = {},
): Promise<Running> => {
  const shell = startCli(['shell'], {
    env: { CONCLAVE_CONNECT: url, NO_COLOR: '1', ...env },
    stdin: null,
    isTerminal: true,
  })
  await shell.stdout.seen(prompt)
  return shell
}

/** Types, and waits for what must come of it. */
const type = async ({ stdin, stdout }: Running, keys: string, seen: RegExp | string) => {
  const from = stdout.text.length
  stdin.write(keys)
  await stdout.seen(seen, from)
  return stdout.text.slice(from)
}

const [ctrlC, ctrlD, tab] = ['\u0003', '\u0004', '\t']

t.test(
  'CLI-25 a shell at a terminal has a prompt that says where it is; Ctrl-D leaves',
  async (t) => {
    const server = await startTestServer(t)
    const shell = await openShell(server)
    const host = server.url.replace('conclave://', '')
    t.match(shell.stdout.text, `conclave ${host} (leading, epoch 1) ${prompt}`)
    t.match(shell.stderr.text, /^looking for a server at .*\nsession \d+; "help"/)
    await type(shell, 'create /a x\r', prompt)
    t.match(await type(shell, 'cd /a\r', '/a> '), 'cd /a')
    await type(shell, 'cd\r', prompt)
    const from = shell.stderr.text.length
    shell.stdin.write('get /none\r')
    await shell.stderr.seen('conclave: /none', from)
    shell.stdin.write(ctrlD)
    t.equal((await shell.ended).code, 0)
  },
)

t.test('CLI-25 Ctrl-C empties the line, or ends the command that runs', async (t) => {
  const shell = await openShell(await startTestServer(t))
  await type(shell, `create /typed${ctrlC}`, `^C\n`)
  t.match(await type(shell, 'ls\r', '(no children)'), /ls/)
  const from = shell.stderr.text.length
  shell.stdin.write('watch /\r')
  await shell.stderr.seen('watching /', from)
  await type(shell, ctrlC, prompt)
  t.match(await type(shell, 'pwd\r', /^\/\n(.|\n)*> /m), 'pwd')
  await type(shell, ctrlC, '^C')
  await shell.stderr.seen('Ctrl-D leaves\n', from)
  shell.stdin.write('exit\r')
  t.equal((await shell.ended).code, 0)
})

t.test('CLI-25 events are printed above the line that is being typed', async (t) => {
  const server = await startTestServer(t)
  const shell = await openShell(server)
  shell.stdin.write('watch -r / &\r')
  await shell.stderr.seen('watching /')
  await type(shell, 'create /mi', 'mi')
  const from = shell.stdout.text.length
  await cliOf(server)(['create', '/other'])
  await shell.stdout.seen('create /mi', from)
  t.match(shell.stdout.text.slice(from), /\[0Jcreated +\/other .*\n(.|\n)*> create \/mi/)
  await type(shell, 'ne\r', /\/mine\n/)
  shell.stdin.write(ctrlD)
  await shell.ended
})

t.test('CLI-25 Tab completes from the tree', async (t) => {
  const server = await startTestServer(t)
  await cliOf(server)(['create', '-p', '/services/query', 'found'])
  const shell = await openShell(server)
  await type(shell, `ge${tab}`, 'get ')
  await type(shell, `/s${tab}`, '/services/')
  await type(shell, `${tab}`, 'query ')
  await type(shell, '\r', /found\n(.|\n)*\/> /)
  await type(shell, `get /none/${tab}`, '/none/')
  shell.stdin.write(`${ctrlC}${ctrlD}`)
  await shell.ended
})

t.test('CLI-25 a password is asked for without showing it, and kept nowhere', async (t) => {
  const server = await startTestServer(t)
  const CONCLAVE_HISTORY = join(tempDirectory(t), 'history')
  const shell = await openShell(server, { env: { CONCLAVE_HISTORY } })
  await type(shell, 'auth bob\r', 'password of bob: ')
  shell.stdin.write('sesame\r')
  await shell.stderr.seen(/you are digest:bob:/)
  await type(shell, 'whoami\r', /^digest +bob:/m)
  const up = '\u001b[A'
  await type(shell, up, 'whoami')
  t.notMatch(await type(shell, `${up}${up}\r`, prompt), 'sesame')
  await type(shell, 'auth carol\r', 'password of carol: ')
  await type(shell, ctrlC, prompt)
  shell.stdin.write(ctrlD)
  const { stdout, stderr } = await shell.ended
  t.notMatch(stdout + stderr, 'sesame')
  t.equal(readFileSync(CONCLAVE_HISTORY, 'utf8'), 'whoami\n')
})

t.test('CLI-25 that the server is gone, and is back, shows at the prompt', async (t) => {
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data })
  const shell = await openShell(server)
  await server.stop()
  await shell.stdout.seen('(suspended) />')
  await shell.stderr.seen('the connection is lost')
  shell.signal('SIGTERM')
  t.equal((await shell.ended).code, 143)
})
