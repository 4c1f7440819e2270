import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import type { Test } from 'tap'
import { repositoryRoot } from '../../support/repository.js'
import { Gathered, type Ran } from './cli-kit.js'

/** The real program in a process of its own; gone when the test ends. */
export interface Conclave {
  readonly stdin: Writable
  readonly stdout: Gathered
  readonly stderr: Gathered
  readonly ended: Promise<Ran>
  /** Stops reading what it prints. */
  closeStdout(): void
  kill(signal: NodeJS.Signals): void
}

export const spawnConclave = (
  t: Test,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Conclave => {
  const program = join(repositoryRoot, 'server', 'bin', 'conclave.js')
  const child = spawn(process.execPath, [program, ...words], {
    env: { PATH: process.env['PATH'], HOME: '/nowhere', ...env },
    stdio: 'pipe',
  })
  const [stdout, stderr] = [new Gathered(), new Gathered()]
  child.stdout.pipe(stdout)
  child.stderr.pipe(stderr)
  const ended = new Promise<Ran>((resolve) => {
    child.once('close', (code, signal) => {
      if (code === null) stderr.text += `ended by ${signal}`
      resolve({ code: code ?? -1, stdout: stdout.text, stderr: stderr.text })
    })
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    stdin: child.stdin,
    stdout,
    stderr,
    ended,
    closeStdout: () => child.stdout.destroy(),
    kill: (signal) => void child.kill(signal),
  }
}

/** A server of `conclave serve` on a free port; resolves once it serves. */
export const spawnServer = async (
  t: Test,
  data: string,
  ...flags: readonly string[]
): Promise<Conclave & { readonly url: string }> => {
  const server = spawnConclave(t, [
    'serve',
    '--data',
    data,
    '--client-port',
    '0',
    '--admin-port',
    '0',
    ...flags,
  ])
  const failed = server.ended.then(({ code, stderr }) => {
    throw new Error(`the server ended with ${code}: ${stderr}`)
  })
  failed.catch(() => undefined)
  await Promise.race([server.stdout.seen('Ctrl-C stops it.\n'), failed])
  return { ...server, url: /conclave:\/\/[\d.:]+/.exec(server.stdout.text)?.[0] ?? '' }
}

/** What `conclave status` says of a server. */
interface StatusRow {
  readonly id: number
  readonly pid: number
  readonly role: string
  readonly down: string | null
}

export const rowsOf = async (
  t: Test,
  ...words: readonly string[]
): Promise<readonly StatusRow[]> => {
  const { stdout } = await spawnConclave(t, ['status', '--json', ...words]).ended
  return JSON.parse(stdout) as StatusRow[]
}
