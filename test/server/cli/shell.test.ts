import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from '#client/index.js'
import { complete } from '#server/cli/shell/completion.js'
import { historyFile, holdsSecret, openHistory } from '#server/cli/shell/history.js'
import { startTestServer, tempDirectory } from '../../support/server-kit.js'
import { cliOf, startCli } from './cli-kit.js'
import t from 'tap'

t.test('CLI-19 a script runs line by line in one session, without a prompt', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const script = [
    '# a comment',
    '',
    'create -e /mine "two words"',
    'get /mine',
    'create /a',
    'cd /a',
    'create b 1',
    `multi 'if c missing' then 'set b 1' else 'rm b'`,
    'ls',
    'pwd',
    'cd ..',
    'get a/b',
    'rm -r a',
    'exit',
    'get /never',
  ]
  const { code, stdout, stderr } = await cli(['shell'], { stdin: script.join('\n') })
  t.equal(stderr, '')
  t.equal(code, 0)
  const branch =
    'then: every condition holds\nOPERATION  PATH  RESULT\nset        /a/b  version 1\n'
  t.equal(stdout, '/mine\ntwo words\n/a\n/a/b\n' + branch + 'b\n/a\n1\ndeleted 2 znodes\n')
  t.equal((await cli(['stat', '/mine'])).code, 10, 'the ephemeral went with the session')
})

t.test('CLI-19 a script ends at its first error with the code of that command', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const stdin = 'create /a\nget /none\nset /a x -v 9\nget /a\nfoo\n'
  t.match(await cli(['shell'], { stdin }), {
    code: 10,
    stdout: '/a\n',
    stderr: /^conclave: line 2: .*\/none.*\n$/,
  })
  const going = await cli(['shell', '--keep-going'], { stdin: stdin.replace('create /a\n', '') })
  t.equal(going.code, 10, 'the first error')
  t.equal(going.stdout, '')
  t.match(going.stderr, /line 2: .*\n.*line 4: there is no command "foo"/)
  t.match(await cli(['shell'], { stdin: "get 'a" }), { code: 2, stderr: /quote ' is not closed/ })
  t.match(await cli(['shell'], { stdin: 'set /a -' }), { code: 2, stderr: /standard input holds/ })
  t.match(await cli(['shell'], { stdin: 'create /x/y' }), { stderr: /line 1: .*or add -p/ })
})

t.test('CLI-19 help lists the commands and says what each takes', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const { stdout } = await cli(['shell'], { stdin: 'help\nhelp get\nget -h\nhelp cd\n' })
  t.match(stdout, /^ls \[path\] .*\nget <path> .*(\n.*)*\nexit .*\n/)
  t.equal(stdout.match(/^Usage: get \[options\] <path>$/gm)?.length, 2)
  t.match(stdout, /^cd \[path\]\n\nmake a znode/m)
  t.match(await cli(['shell'], { stdin: 'help x' }), { code: 2 })
  t.match(await cli(['shell'], { stdin: 'cd /x' }), { code: 10 })
  t.match(await cli(['shell'], { stdin: 'gett /' }), { stderr: /did you mean get\?/ })
})

t.test('CLI-20 what ends with & runs in the background until it is stopped', async (t) => {
  const server = await startTestServer(t)
  const env = { CONCLAVE_CONNECT: server.url }
  const shell = startCli(['shell'], { env, stdin: null })
  shell.stdin.write('jobs\nwatch -r / &\n')
  await shell.stderr.seen('watching / and all below it')
  t.match(shell.stderr.text, /^nothing runs in the background\n\[1\] watch -r \/\n/)
  shell.stdin.write('create /a\njobs\n')
  await shell.stdout.seen(/^created +\/a /m)
  await shell.stdout.seen('[1] watch -r /\n')
  shell.stdin.write('stop 1\n')
  await shell.stderr.seen('[1] stopped: watch -r /\n')
  shell.stdin.write('get /none &\n')
  await shell.stderr.seen(/\[2\] .*\/none/)
  shell.stdin.write("create '&' &\n")
  await shell.stderr.seen("[3] done: create '&'\n")
  shell.stdin.end('stop 7\n')
  t.match(await shell.ended, { code: 2, stderr: /there is no job 7; "jobs" lists them\n$/ })
})

t.test('CLI-21 a session that has ended is replaced, and shows who one is again', async (t) => {
  const server = await startTestServer(t)
  const clients: Awaited<ReturnType<typeof connect>>[] = []
  const shell = startCli(['shell'], {
    env: { CONCLAVE_CONNECT: server.url },
    stdin: null,
    connect: async (...to) => {
      const client = await connect(...to)
      clients.push(client)
      return client
    },
  })
  shell.stdin.write('auth bob:sesame\n')
  await shell.stderr.seen(/you are digest:bob:[\da-f]{64}\n/)
  await clients[0]?.close()
  shell.stdin.end('whoami\n')
  const { code, stdout, stderr } = await shell.ended
  t.equal(code, 0)
  t.match(stdout, /^digest +bob:/m)
  t.match(stderr, /the session had ended; this is a new one, \d+\n/)
  t.notMatch(stdout + stderr, /sesame/)
})

t.test('CLI-22 Tab completes commands, options and paths', async (t) => {
  const tree: Readonly<Record<string, readonly string[]>> = {
    '/': ['services', 'locks', 'se lect', 'bad\u202e'],
    '/services': ['query', 'storage'],
  }
  const source = (place = '/') => ({
    place,
    children: async (path: string) => {
      const names = tree[path]
      if (names === undefined) throw new Error('no such znode')
      return names.map((name) => ({ name, hasChildren: name === 'services' }))
    },
  })
  const hits = async (line: string, place?: string): Promise<readonly string[]> =>
    (await complete(line, source(place))).hits
  t.strictSame(await hits('cr'), ['create '])
  t.strictSame(await hits('s'), ['set ', 'stat ', 'sync ', 'stop '])
  t.strictSame(await hits('help cr'), ['create '])
  t.strictSame(await hits('create --se'), ['--sequential '])
  t.strictSame(await hits('get --j'), ['--json '])
  t.strictSame(await hits('ls /'), ['/locks', String.raw`/se\ lect`, '/services'])
  t.strictSame(await hits('ls /ser'), ['/services/'], 'it has children')
  t.strictSame(await hits('ls /services/q'), ['/services/query '])
  t.strictSame(await hits('ls s', '/services'), ['storage '])
  t.strictSame(await hits('cd ../lo', '/services'), ['../locks '])
  t.strictSame(await hits('ls '), ['locks', String.raw`se\ lect`, 'services'])
  t.strictSame(await hits("ls '/se l"), ["'/se lect "])
  t.strictSame(await hits('set /services/query se'), [], 'data is not completed')
  t.strictSame(await hits('whoami '), [])
  t.equal((await complete('ls /services/q', source())).fragment, '/services/q')
})

t.test(
  'CLI-23 the history is for its owner only, has a bound, and holds no password',
  async (t) => {
    const file = join(tempDirectory(t), 'deep', 'history')
    const history = openHistory(file)
    for (const line of ['ls /', 'ls /', ' ', 'auth bob:secret', 'auth bob', 'get /a'])
      history.add(line)
    history.add('whoami --auth bob:secret')
    t.equal(readFileSync(file, 'utf8'), 'ls /\nget /a\n')
    t.equal(statSync(file).mode & 0o777, 0o600)
    t.strictSame(openHistory(file).lines, ['ls /', 'get /a'])
    chmodSync(file, 0o644)
    writeFileSync(file, Array.from({ length: 1_500 }, (_, i) => `get /${i}\n`).join(''))
    t.equal(openHistory(file).lines.length, 1_000)
    t.equal(openHistory(file).lines.at(-1), 'get /1499')
    t.equal(readFileSync(file, 'utf8').split('\n').length, 1_001)
    t.equal(statSync(file).mode & 0o777, 0o600)
    t.ok(holdsSecret('  auth  "x'))
    t.notOk(holdsSecret('get /auth'))
  },
)

t.test('CLI-23 the history lies where the environment says', async (t) => {
  t.equal(historyFile({}, '/home/x'), '/home/x/.conclave_history')
  t.equal(historyFile({ XDG_STATE_HOME: '/s' }, '/home/x'), '/s/conclave/history')
  t.equal(historyFile({ CONCLAVE_HISTORY: '/h' }, '/home/x'), '/h')
  t.equal(historyFile({ CONCLAVE_HISTORY: '' }, '/home/x'), null)
  openHistory(null).add('x')
  openHistory('/dev/null/none/history').add('x')
  t.notOk(existsSync('/dev/null/none/history'))
})
