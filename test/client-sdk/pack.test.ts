import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { repositoryRoot } from '../support/repository.js'
import { startTestServer, tempDirectory } from '../support/server-kit.js'

const program = `
import { type Client, connect, json, NodeExistsError, ref } from '@conclave/client'
import { Election } from '@conclave/client/recipes'
import { Mutex } from '@conclave/client/recipes/mutex'

interface Config { readonly shards: number }
declare const process: { readonly argv: readonly string[]; exitCode: number }
declare const console: { log(line: string): void }

const use = async (client: Client): Promise<void> => {
  const path: string = await client.create('/config', { shards: 16 }, { as: json })
  const { data, stat, changed } = await client.get(path, { as: json<Config>(), watch: true })
  const shards: number = data.shards
  // @ts-expect-error: it is a number
  const wrong: string = data.shards
  await client.set(path, { shards: shards * 2 }, { as: json, version: stat.version })
  const { type } = await changed
  const [job, latest]: [string, string] = await client.transaction()
    .create('/j-', null, { kind: 'sequential' })
    .create('/latest', ref(0))
    .commit()
  const names: string[] = []
  for await (const name of client.list('/')) names.push(name)
  const again: unknown = await client.create(path).catch((error: unknown) => error)
  const code = again instanceof NodeExistsError ? again.code : 'none'
  await using lock = await new Mutex(client, '/locks/a').acquire()
  const token: number = await new Election(client, '/leader').lead(({ token }) => token)
  const isLater: boolean = token > lock.token
  console.log([type, job, latest, names.length, code, typeof wrong, isLater].join(' '))
}

await using client = await connect(process.argv[2] ?? '')
await use(client)
`

/** As in a shell of its own: the test runner puts options in front of every Node it sees. */
const run = (command: string, words: readonly string[], { cwd }: { readonly cwd: string }) =>
  promisify(execFile)('env', ['-u', 'NODE_OPTIONS', command, ...words], { cwd })

const skipped = new Set(['node_modules', '.git', '.tap', 'data'])

/** Packing builds, and puts files beside the sources: not where other tests run. */
const copyOfRepository = (folder: string): void => {
  const isWanted = (path: string): boolean => !skipped.has(basename(path))
  mkdirSync(folder)
  for (const name of readdirSync(repositoryRoot).filter(isWanted)) {
    const from = join(repositoryRoot, name)
    cpSync(from, join(folder, name), {
      recursive: true,
      preserveTimestamps: true,
      filter: isWanted,
    })
  }
  symlinkSync(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'))
}

t.test('SDK-58 the package installs on its own, type-checks and runs', async (t) => {
  const folder = tempDirectory(t)
  const [copy, app] = [join(folder, 'copy'), join(folder, 'app')]
  copyOfRepository(copy)
  mkdirSync(app)
  const pack = ['pack', '-w', '@conclave/client', '--pack-destination', folder]
  const [server] = await Promise.all([startTestServer(t), run('npm', pack, { cwd: copy })])
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? ''
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }')
  writeFileSync(join(app, 'app.ts'), program)
  const quick = ['--prefer-offline', '--no-audit', '--no-fund', '--omit=optional']
  await run('npm', ['install', ...quick, join(folder, tarball)], { cwd: app })
  const tsc = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  const flags = '--strict --target es2022 --module nodenext --lib es2023,esnext.disposable,dom'
  await run(process.execPath, [tsc, ...flags.split(' '), '--types', '', 'app.ts'], { cwd: app })
  const { stdout } = await run(process.execPath, ['app.js', server.url], { cwd: app })
  t.equal(stdout, 'dataChanged /j-0000000001 /latest 3 nodeExists number true\n')
  const client = join(app, 'node_modules', '@conclave', 'client')
  t.strictSame(readdirSync(join(client, 'node_modules', '@conclave')), ['protocol'])
  const files = readdirSync(client, { recursive: true }).map(String)
  t.notOk(files.some((name) => /\.test\.|tsbuildinfo|tsconfig/.test(name)))
})
