import { type DestinationStream, destination, type Logger, pino } from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { ServeConfig } from './serve-config.js'

/** The log of a server: to stderr, as text for a person at a terminal, as JSON lines otherwise. */
export const serveLog = (
  { logLevel = 'info', logFormat }: Pick<ServeConfig, 'logLevel' | 'logFormat'>,
  { isTerminal, hasColours }: { readonly isTerminal: boolean; readonly hasColours: boolean },
): Logger => {
  const format = logFormat ?? (isTerminal ? 'pretty' : 'json')
  const stderr = 2
  const stream: DestinationStream =
    format === 'pretty'
      ? PinoPretty({
          destination: stderr,
          sync: true,
          colorize: hasColours,
          singleLine: true,
          ignore: 'pid,hostname',
          translateTime: 'HH:MM:ss.l',
        })
      : destination({ dest: stderr, sync: true })
  return pino({ level: logLevel }, stream)
}
