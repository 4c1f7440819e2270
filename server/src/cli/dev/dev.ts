import { resolve } from 'node:path'
import { exitCodes } from '../exit-code.js'
import type { Output } from '../output/output.js'
import type { ProgramContext } from '../program-context.js'
import { quoteWord } from '../split-words.js'
import { openDevDirectory, type DevDirectory, type DevServer } from './dev-directory.js'
import { type Ended, ServerChild } from './server-child.js'

export interface DevFlags {
  readonly servers?: number
  readonly data?: string
  readonly verbose?: true
}

/** Runs an ensemble until a signal, or until no server of it is left. */
export const dev = (flags: DevFlags, { output, interruptible }: ProgramContext): Promise<void> =>
  interruptible(async (signal) => {
    const data = flags.data ?? './data'
    const directory = openDevDirectory(resolve(data), flags.servers ?? null)
    const tell = (id: number, text: string): void => output.note(`server ${id}: ${text}`)
    const children = directory.servers.map(
      (server) => new ServerChild(server, { directory, tell, isVerbose: flags.verbose === true }),
    )
    const stopAll = (): void => {
      for (const child of children) child.stop()
    }
    signal.addEventListener('abort', stopAll)
    if (signal.aborted) stopAll()
    const ends = children.map((child) => child.ended.then((end) => ({ child, end })))
    const failed = Promise.all(
      ends.map(async (ending) => {
        const { child, end } = await ending
        if (signal.aborted) return null
        if (child.hasServed) {
          output.warn(deathText(child, end, directory))
          return null
        }
        // What keeps one from starting keeps an ensemble from being one.
        stopAll()
        return { id: child.server.id, end }
      }),
    )
    const served = Promise.all(children.map((child) => child.serving))
    const isUp = await Promise.race([served.then(() => true), failed.then(() => false)])
    if (isUp && !signal.aborted) await output.result(greeting(children, directory, data, output))
    const first = (await failed).find((failure) => failure !== null)
    if (first !== undefined && first !== null) {
      output.error(`server ${first.id}: ${first.end.lastWords}`)
      return first.end.code ?? exitCodes.failed.code
    }
    return signal.aborted ? exitCodes.ok.code : exitCodes.failed.code
  })

const deathText = ({ server, pid }: ServerChild, end: Ended, directory: DevDirectory): string => {
  const how = end.signal === null ? `with exit code ${end.code}` : `by ${end.signal}`
  const words = ['serve', '--config', directory.config, '--server-id', String(server.id)]
  const command = [...words, '--data', server.data].map(quoteWord).join(' ')
  return (
    `server ${server.id} (pid ${pid}) ended ${how}; the others go on; ` +
    `to start it again: npx conclave ${command}`
  )
}

const greeting = (
  children: readonly ServerChild[],
  { config, servers }: DevDirectory,
  data: string,
  { style }: Output,
): string => {
  const addresses = servers.map(addressOf).join(',')
  return [
    `Conclave is running at ${style.title(`conclave://${addresses}`)}`,
    `${servers.length} servers, their data is in ${quoteWord(data)}`,
    '',
    ...children.map(
      ({ server, pid }) =>
        `  server ${server.id}  pid ${pid}  http://${server.host}:${server.adminPort}/status`,
    ),
    '',
    'In another terminal:',
    `  npx conclave status --config ${quoteWord(config)}`,
    `  npx conclave shell --connect ${addresses}`,
    '',
    'Ctrl-C stops all servers.',
  ].join('\n')
}

const addressOf = ({ host, clientPort }: DevServer): string => `${host}:${clientPort}`
