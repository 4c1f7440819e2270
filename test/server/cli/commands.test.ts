import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startTestServer, tempDirectory } from '../../support/server-kit.js'
import { cliOf, startCli } from './cli-kit.js'
import { dataVersion } from '@conclave/protocol'
import t from 'tap'

const json = (text: string): unknown => JSON.parse(text)

t.test('CLI-10 create, get, set, stat, ls, count, tree and delete do what they say', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const ok = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await cli(words)
    t.equal(`${code} ${stderr}`, '0 ', words.join(' '))
    return stdout
  }
  t.equal(await ok('create', '/a', 'hello'), '/a\n')
  t.equal(await ok('get', '/a'), 'hello\n')
  t.equal(await ok('get', '--raw', '/a'), 'hello')
  t.equal(await ok('set', '/a', 'two', '-v', '0'), 'version 1\n')
  t.match(await ok('stat', '/a'), /^version +1 /m)
  t.match(await ok('get', '-s', '-L', '/a'), /^two\n\npath +\/a\n/)
  t.equal(await ok('create', '-p', '/x/y/z'), '/x/y/z\n')
  t.equal(await ok('create', '-s', '/x/n-'), '/x/n-0000000001\n')
  t.equal(await ok('create', '-s', '/x/y/'), '/x/y/0000000001\n')
  t.equal(await ok('ls', '/x/'), 'n-0000000001\ny\n')
  t.match(await ok('ls', '-l', '/x'), /^NAME .*\nn-0000000001 +persistent +0 +0 +0 +/)
  t.equal(await ok('count', '/x'), '4\n')
  t.equal(await ok('tree', '/x'), '/x\n├── n-0000000001\n└── y\n    ├── 0000000001\n    └── z\n')
  t.equal(await ok('tree', '-d', '1', '/x'), '/x\n├── n-0000000001\n└── y\n')
  t.equal(await ok('rm', '/x/n-0000000001'), '')
  t.equal(await ok('delete', '-r', '/x'), 'deleted 4 znodes\n')
  t.equal(await ok('ls'), 'a\n')
  t.match(await ok('sync'), /^in sync at zxid \d+\n$/)
  t.match((await cli(['tree', '-n', '1'])).stderr, /^there is more; --limit takes more than 1\n$/)
})

t.test('CLI-10 create makes every kind of znode', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const kindOf = async (...words: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await cli(['create', ...words, '--json'])
    t.equal(code, 0, stderr)
    return json(stdout)
  }
  t.match(await kindOf('/p'), { path: '/p', kind: 'persistent' })
  t.match(await kindOf('-e', '/e'), { path: '/e', kind: 'ephemeral' })
  t.match(await kindOf('-e', '-s', '/s'), { path: /^\/s\d{10}$/, kind: 'ephemeral' })
  t.match(await kindOf('-c', '/c'), { kind: 'container' })
  t.match(await kindOf('--ttl', '5m', '/t'), { kind: 'ttl', ttlMs: 300_000 })
  t.match(await kindOf('--ttl', '5m', '-s', '/t'), { path: /^\/t\d{10}$/, kind: 'ttl' })
  for (const flags of [
    ['-e', '-c'],
    ['-e', '--ttl', '1s'],
    ['-c', '-s'],
  ]) {
    t.equal((await cli(['create', ...flags, '/no'])).code, 2, flags.join(' '))
  }
})

t.test('CLI-11 data comes from a word, a file or the standard input, byte for byte', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const file = join(tempDirectory(t), 'data')
  writeFileSync(file, 'from a file\n')
  await cli(['create', '/a', '-'], { stdin: 'from stdin\n' })
  t.equal((await cli(['get', '--raw', '/a'])).stdout, 'from stdin\n')
  await cli(['set', '/a', '--file', file])
  t.equal((await cli(['get', '--raw', '/a'])).stdout, 'from a file\n')
  await cli(['set', '/a', '-f', '-'], { stdin: 'again' })
  t.equal((await cli(['get', '--raw', '/a'])).stdout, 'again')
  t.equal((await cli(['set', '/a', ''])).code, 0)
  t.equal((await cli(['get', '/a'])).stdout, '')
  t.match(await cli(['set', '/a']), { code: 2, stderr: /say what to set/ })
  t.match(await cli(['set', '/a', '-f', `${file}x`]), { code: 2, stderr: /does not exist\n$/ })
  t.match(await cli(['set', '/a', '-'], { stdin: 'x'.repeat(2 ** 21) }), { code: 2 })
})

t.test(
  'CLI-12 an ephemeral of a one-shot command vanishes, and that is said on stderr',
  async (t) => {
    const cli = cliOf(await startTestServer(t))
    const made = await cli(['create', '-e', '/e', '--json'])
    t.match(json(made.stdout), { path: '/e' })
    t.match(made.stderr, /^\/e vanishes now: .*conclave shell/)
    t.equal((await cli(['stat', '/e'])).code, 10)
  },
)

t.test(
  'CLI-13 watch prints what happens, ends after a count, and goes on where it was',
  async (t) => {
    const server = await startTestServer(t)
    const cli = cliOf(server)
    await cli(['create', '/w'])
    const env = { CONCLAVE_CONNECT: server.url }
    const first = startCli(['watch', '-r', '-d', '-n', '2', '/w'], { env })
    await first.stderr.seen('watching /w and all below it')
    await cli(['create', '/w/a', 'x\u001b'])
    await cli(['set', '/w/a', 'second'])
    const { code, stdout, stderr } = await first.ended
    t.equal(code, 0)
    t.match(stdout, /^created +\/w\/a +zxid \d+ +0x781b\ndataChanged +\/w\/a +zxid \d+ +second\n$/)
    const from = /--from ([\w-]+)\n$/.exec(stderr)?.[1] ?? ''
    await cli(['delete', '/w/a'])
    const again = await cli(['watch', '-r', '-n', '1', '--from', from, '--json', '/w'])
    t.match(json(again.stdout.split('\n')[0] ?? ''), { type: 'deleted', path: '/w/a' })
    t.match(await cli(['watch', '-n', '0', '/w']), { code: 2 })
  },
)

t.test('CLI-13 get, ls and stat wait for the first change when asked to', async (t) => {
  const server = await startTestServer(t)
  const cli = cliOf(server)
  const env = { CONCLAVE_CONNECT: server.url }
  const stat = startCli(['stat', '-w', '/a'], { env })
  const ls = startCli(['ls', '-w', '/', '--json'], { env })
  await stat.stdout.seen('/a does not exist yet')
  await ls.stdout.seen('[]')
  await cli(['create', '/a', 'x'])
  t.match((await stat.ended).stdout, /\ncreated +\/a +zxid \d+\n$/)
  t.match(json((await ls.ended).stdout.split('\n')[1] ?? ''), { type: 'childrenChanged' })
  const get = startCli(['get', '-w', '/a'], { env })
  await get.stdout.seen('x')
  await cli(['delete', '/a'])
  t.match(await get.ended, { code: 0, stdout: /^x\ndeleted +\/a/ })
})

t.test('CLI-14 every command prints JSON when asked to', async (t) => {
  const cli = cliOf(await startTestServer(t))
  await cli(['create', '/a', 'hello'])
  const said = async (...words: readonly string[]): Promise<unknown> =>
    json((await cli([...words, '--json'])).stdout)
  t.match(await said('get', '/a'), {
    path: '/a',
    data: 'hello',
    encoding: 'utf8',
    stat: { version: 0 },
  })
  t.match(await said('set', '/a', 'x'), { path: '/a', stat: { version: 1 } })
  t.match(await said('stat', '/a'), { path: '/a', stat: { dataLength: 1 } })
  t.strictSame(await said('ls', '/'), ['a'])
  t.match(await said('ls', '-l', '/'), [{ name: 'a', stat: { kind: 'persistent' } }])
  t.strictSame(await said('count', '/'), { path: '/', descendants: 1 })
  t.match(await said('tree', '/a'), { path: '/a', stat: { version: 1 } })
  t.match(await said('acl', '/a'), { path: '/a', acl: [{ scheme: 'world' }], aversion: 0 })
  t.match(await said('sync'), { zxid: Number })
  t.match(await said('whoami'), { sessionId: Number, identities: [{ scheme: 'ip' }] })
  t.match(await said('multi', 'check /a', 'delete /a -v 1'), {
    branch: 'then',
    results: [
      { op: 'check', path: '/a' },
      { op: 'delete', path: '/a' },
    ],
  })
})

t.test('CLI-15 a multi is all or nothing, in lines and in JSON', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const lines = ['# two', 'create -s /j- "a b"', '', 'create $0/state on', 'check /j-0000000000']
  const made = await cli(['multi'], { stdin: lines.join('\n') })
  t.match(made.stdout, /^create +\/j-0000000000 +ok\ncreate +\/j-0000000000\/state +ok\ncheck/m)
  t.equal((await cli(['get', '/j-0000000000'])).stdout, 'a b\n')
  const steps = [
    { op: 'create', path: '/k', dataBase64: 'AP8=', acl: ['world:anyone:rw'] },
    { op: 'create', path: '/last', dataRef: 0 },
    { op: 'set', path: '/j-0000000000', data: 'c', version: 0 },
    { op: 'acl', path: '/last', acl: [{ scheme: 'world', id: 'anyone', permissions: 1 }] },
  ]
  const file = join(tempDirectory(t), 'steps.json')
  writeFileSync(file, JSON.stringify(steps))
  t.match(await cli(['multi', '-f', file]), {
    code: 0,
    stdout: /^set +\/j-0000000000 +version 1$/m,
  })
  t.equal((await cli(['get', '/last'])).stdout, '/k\n')
  t.equal((await cli(['acl', '/k'])).stdout, 'world:anyone:rw\n')
  const failed = await cli(['multi', 'create /n', 'delete /none'])
  t.match(failed, { code: 10, stderr: /^conclave: operation 2: .*\/none/ })
  t.equal((await cli(['stat', '/n'])).code, 10)
  t.match(await cli(['multi', 'fence /k 1', 'delete /k']), { code: 15 })
  const { czxid } = json(
    (await cli(['stat', '/k', '--json'])).stdout.replace(/.*"stat":(.*)}/, '$1'),
  ) as {
    czxid: number
  }
  t.match(await cli(['multi', `fence /k ${czxid}`, 'delete /k']), { code: 0 })
})

t.test('CLI-15 what is wrong in a multi is said by its place', async (t) => {
  const cli = cliOf(await startTestServer(t))
  const refused = async (stdin: string, sentence: RegExp): Promise<void> => {
    t.match(await cli(['multi'], { stdin }), { code: 2, stderr: sentence }, stdin)
  }
  await refused('create /a\nmake /b', /line 2: there is no operation "make", but create, set/)
  await refused('create', /line 1: missing required argument 'path'/)
  await refused('delete -r /a', /line 1: --file, --parents and --recursive have no place/)
  await refused('[{"op":"create","path":"/a","dat":"x"}]', /operation 1: Unrecognized key/)
  await refused(
    '[{"op":"set","path":"/a","data":"x","dataRef":0}]',
    /operation 1: only one of data/,
  )
  await refused('{"then":[{"op":"create","path":"a"}]}', /"then", operation 1: .*write \/a/)
  await refused('{"if":[{"path":"/a"}],"then":[]}', /"if", condition 1: say what must hold/)
  await refused('{"else":[{"op":"make"}]}', /"else", operation 1.*: op is one of create, set/)
  await refused('{"when":[]}', /the multi: Unrecognized key: "when"/)
  await refused('[{]', /is no JSON/)
  await refused('', /at least one operation/)
  await refused('if /a exists\nthen\n', /at least one operation/)
  await refused('\n# here\ncreate a', /line 3: .*write \/a/)
  await refused('create /a//b', /line 1: /)
  await refused('if /a exists\ncreate /b', /line 2: write "then" before/)
  await refused('create /b\nif /a exists', /line 2: an "if" .* at the start/)
  await refused('create /b\nfence /a 1', /line 2: a fence .* before the operations/)
  await refused('create /b\nelse\ncreate /c', /line 2: the order is: if/)
  await refused('if /a exists\nthen\nthen', /line 3: the order is: if/)
  await refused('if /a exists\nthen create /b', /line 2: "then" stands alone/)
  await refused('if /a exists', /: write "then", and after it/)
  for (const line of ['if', 'if /a', 'if /a is 3', 'if /a exists 3', 'if /a version']) {
    await refused(line, /line 1: an if is written "if PATH exists"/)
  }
  await refused('if /a version x', /line 1: a version is a whole number/)
  const { stderr } = await cli(['multi', 'create /a', 'make /b'])
  t.match(stderr, /word 2: there is no operation "make"/)
})

t.test('CLI-15 a multi asks first, and runs one list or the other', async (t) => {
  const cli = cliOf(await startTestServer(t))
  await cli(['create', '/a', 'x'])
  const stat = async (path: string) =>
    (json((await cli(['stat', path, '--json'])).stdout) as { stat: Record<string, number> }).stat
  const { czxid = 0 } = await stat('/a')
  const branchOf = async (...conditions: readonly string[]): Promise<unknown> => {
    const lines = [...conditions, 'then', 'check /a', 'else', 'check /']
    const { stdout } = await cli(['multi', '--json', ...lines])
    return (json(stdout) as { branch: string }).branch
  }
  for (const condition of ['exists', 'version 0', 'data x', `czxid ${czxid}`, 'owner 0']) {
    t.equal(await branchOf(`if /a ${condition}`), 'then', condition)
    t.equal(await branchOf(`if /a ${condition}`, 'if /a missing'), 'else', condition)
    t.equal(await branchOf(`if /none ${condition}`), 'else', condition)
  }
  for (const condition of ['missing', 'version 1', 'data y', 'czxid 1', 'owner 7']) {
    t.equal(await branchOf(`if /a ${condition}`), 'else', condition)
  }
  const lines = [`fence /a ${czxid}`, 'if /a version 0', 'then', 'set /a y', 'create $0/b']
  t.match(await cli(['multi'], { stdin: lines.join('\n') }), { code: 2, stderr: /operation 2: / })
  const plan = {
    fences: [{ path: '/a', czxid }],
    if: [{ path: '/a', version: 0, dataBase64: 'eA==', exists: true, ephemeralOwner: 0 }],
    else: [{ op: 'delete', path: '/a' }],
    then: [
      { op: 'create', path: '/j-', kind: 'sequential' },
      { op: 'create', path: '$0/b' },
    ],
  }
  const done = await cli(['multi'], { stdin: JSON.stringify(plan) })
  t.match(done.stdout, /^then: every condition holds\nOPERATION.*\ncreate +\/j-0000000001 .*\n/)
  t.match(await cli(['multi'], { stdin: JSON.stringify({ ...plan, fences: [] }) }), { code: 0 })
  const other = await cli(['multi', 'if /a missing', 'then', 'create /a', 'else', 'delete /a'])
  t.match(other.stdout, /^else: a condition does not hold\n(.*\n)delete +\/a +ok\n$/)
  t.match(await cli(['multi', 'if /a exists', 'then', 'delete /a']), {
    code: 0,
    stdout: 'else: a condition does not hold\n',
  })
})

t.test('CLI-8 acl prints and replaces who may do what; --auth says who one is', async (t) => {
  const cli = cliOf(await startTestServer(t))
  await cli([
    'create',
    '/a',
    'x',
    '--acl',
    'auth::rwcda',
    '--acl',
    'ip:10.0.0.0/8:r',
    '--auth',
    'bob:pw',
  ])
  t.match(await cli(['get', '/a']), { code: 14, stderr: /--auth user:password/ })
  t.equal((await cli(['get', '/a', '--auth', 'bob:pw'])).stdout, 'x\n')
  t.equal((await cli(['get', '/a'], { env: { CONCLAVE_AUTH: 'bob:pw' } })).stdout, 'x\n')
  t.match(
    (await cli(['acl', '/a', '--auth', 'bob:pw'])).stdout,
    /^digest:bob:[\da-f]{64}:rwcda\nip:/,
  )
  const opened = await cli(['acl', '/a', 'world:anyone:r', '-v', '0', '--auth', 'bob:pw'])
  t.match(opened, { code: 0, stdout: 'acl version 1\n' })
  t.equal((await cli(['get', '/a'])).stdout, 'x\n')
  t.match((await cli(['whoami', '--auth', 'bob:pw'])).stdout, /^digest +bob:/m)
})

t.test('CLI-4 what others wrote is escaped wherever it is printed', async (t) => {
  const cli = cliOf(await startTestServer(t))
  await cli(['create', '/\u202ea', '\u001b]0;x\u0007'])
  const shown = await Promise.all([
    cli(['ls']),
    cli(['ls', '-l']),
    cli(['tree']),
    cli(['stat', '/\u202ea']),
    cli(['get', '/\u202ea']),
    cli(['get', '/\u202ea', '--json']),
    cli(['get', '/\u001b[31m']),
    cli(['\u001b[31m']),
    cli(['ls', '--\u001b[31m']),
  ])
  for (const { stdout, stderr } of shown) {
    for (const bad of ['\u001b', '\u0007', '\u202e']) t.notOk((stdout + stderr).includes(bad))
  }
  t.match(shown[0]?.stdout, String.raw`\u{202e}a`)
})

t.test('CLI-24 inspect prints what is on the disk', async (t) => {
  const data = join(tempDirectory(t), 'd')
  const server = await startTestServer(t, { data, snapshotTxns: 2 })
  const cli = cliOf(server)
  await cli(['create', '/a', 'x\u001b'])
  await cli(['create', '/none/b'])
  await server.stop()
  const log = await cli(['inspect', 'log', data])
  t.equal(log.code, 0)
  t.match(log.stdout, /^segment 1 /)
  t.match(log.stdout, /zxid \d+ +epoch 1 .* create \/a \(2 bytes: 0x781b\) +session \d+ xid 1$/m)
  t.match(log.stdout, /refused noNode: /)
  t.match(log.stdout, /end mark .* stopped cleanly/)
  const lines = (await cli(['inspect', 'log', data, '--json', '-n', '1'])).stdout
    .trimEnd()
    .split('\n')
  t.match(lines.map(json), [{ item: 'segment' }, { item: 'batch' }, { item: 'record' }])
  t.match((await cli(['inspect', 'snapshot', data])).stdout, /^snapshot at zxid \d+ .*\n.*znode/)
  t.match(await cli(['inspect', 'log', tempDirectory(t)]), { code: 2, stderr: /no data directory/ })
  t.match(await cli(['inspect', 'log', '/no/where']), { code: 2, stderr: /does not exist/ })
  const damaged = tempDirectory(t)
  writeFileSync(join(damaged, 'conclave-data'), `conclave data ${dataVersion}\n`)
  mkdirSync(join(damaged, 'x'))
  t.match(await cli(['inspect', 'log', damaged]), { code: 0, stderr: /no log in .* yet/ })
})

t.test('CLI-24 inspect says what is damaged, and its exit code too', async (t) => {
  const data = join(tempDirectory(t), 'd')
  const server = await startTestServer(t, { data })
  const cli = cliOf(server)
  for (const path of ['/a', '/b', '/c']) await cli(['create', path])
  await server.stop()
  const items = (await cli(['inspect', 'log', data, '--json'])).stdout
    .trimEnd()
    .split('\n')
    .map(json)
  const [, record] = (items as { item: string; file: string; offset: number }[]).filter(
    ({ item }) => item === 'record',
  )
  if (record === undefined) throw new Error('the log has records')
  const bytes = readFileSync(record.file)
  bytes.writeUInt8(bytes.readUInt8(record.offset + 20) ^ 1, record.offset + 20)
  writeFileSync(record.file, bytes)
  t.match(await cli(['inspect', 'log', data]), { code: 1, stdout: /DAMAGE .* offset \d+: / })
})
