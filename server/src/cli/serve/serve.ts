import type { ProgramContext } from '../program-context.js'
import type { RunningServer } from '../../running-server.js'
import { exitCodes } from '../exit-code.js'
import { hasColours } from '../output/style.js'
import { quoteWord } from '../split-words.js'
import { serveConfig, type ServeFlags } from './serve-config.js'

export interface EndFlags {
  readonly untilInputEnds?: true
}

/** Runs a server until a signal, or until it must end by itself. */
export const serve = (
  { untilInputEnds, ...flags }: ServeFlags & EndFlags,
  context: ProgramContext,
): Promise<void> =>
  context.interruptible(async (signal) => {
    const { host, output } = context
    const { logLevel, logFormat, ...options } = serveConfig(flags)
    // Only a server needs these, and other commands start faster without.
    const [{ keepHeapSmall }, { startOn }, { serveLog }] = await Promise.all([
      import('../../runtime/heap.js'),
      import('../../running-server.js'),
      import('./serve-log.js'),
    ])
    keepHeapSmall()
    const isTerminal = host.stderr.isTTY === true
    const log = serveLog(
      { logLevel, logFormat },
      { isTerminal, hasColours: hasColours(isTerminal, host.env) },
    )
    const server = await startOn(null, { ...options, log })
    log.info({ url: server.url }, 'listening')
    const onSignal = (): void => {
      log.info({ reason: (signal.reason as Error).message }, 'stopping')
      void server.stop()
    }
    signal.addEventListener('abort', onSignal)
    if (signal.aborted) onSignal()
    if (untilInputEnds === true) host.stdin.once('end', () => void server.stop()).resume()
    void server.serving.then(
      async () => {
        log.info({ url: server.url, data: options.data }, 'serving')
        await output.result(greeting(server, options.data, output.style.title))
      },
      // It ends, or is told to, before anybody could be served.
      () => undefined,
    )
    try {
      await server.stopped
    } catch {
      // The log says why.
      return exitCodes.failed.code
    }
    log.info({}, 'stopped')
    return exitCodes.ok.code
  })

/** How to connect, and what a newcomer may try. */
const greeting = (
  { url, clientPort, adminPort }: RunningServer,
  data: string,
  title: (text: string) => string,
): string => {
  const place = new URL(url)
  const to = clientPort === 7400 ? '' : ` --connect ${url.replace('conclave://', '')}`
  return [
    `Conclave is running at ${title(url)}, its data is in ${quoteWord(data)}`,
    ...(adminPort === null
      ? []
      : [`Metrics and status: http://${place.hostname}:${adminPort}/status`]),
    '',
    'In another terminal:',
    `  npx conclave shell${to}`,
    `  npx conclave create /hello world${to}`,
    `  npx conclave get /hello${to}`,
    `  npx conclave watch -r /${to}`,
    '',
    'Ctrl-C stops it.',
  ].join('\n')
}
