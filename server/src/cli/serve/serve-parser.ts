import { Option, type Command as Parser } from 'commander'
import { limits } from '@conclave/protocol'
import { portMax } from '../../server-options.js'
import { quietParser } from '../parser.js'
import { wholeNumber } from '../parse-options.js'
import type { ProgramContext } from '../program-context.js'
import { configKeys, logFormats, logLevels, type ServeFlags } from './serve-config.js'
import { type EndFlags, serve } from './serve.js'

export const serveParser = (context: ProgramContext): Parser => {
  const parser = quietParser('serve', context.say)
    .summary('run a server')
    .description('Runs a server until it is told to end.')
    .option('--data <directory>', 'where the data is kept; made when it does not exist')
    .addOption(
      new Option(
        '--client-port <port>',
        'what clients connect to; 0: any free one (default: 7400)',
      ).argParser(wholeNumber('--client-port', portMax)),
    )
    .addOption(
      new Option(
        '--admin-port <port>',
        'metrics and status over HTTP; 0: any free one (default: 7600)',
      ).argParser(wholeNumber('--admin-port', portMax)),
    )
    .addOption(
      new Option('--server-id <id>', 'which of the servers of the config file this is').argParser(
        wholeNumber('--server-id', limits.serverIdMax),
      ),
    )
    .option('--host <address>', 'what to listen on (default: 127.0.0.1)')
    .option('--insecure', 'listen on an address that is not loopback, although there is no TLS yet')
    .option('--bootstrap', 'the first election may be held by a majority of new voters told so')
    .option('--until-input-ends', 'stop when the standard input ends, as with the parent process')
    .option('--config <file>', 'YAML or JSON with the keys below; flags win')
    .addOption(new Option('--log-level <level>', 'default: info').choices(logLevels))
    .addOption(
      new Option('--log-format <format>', 'default: pretty on a terminal, json elsewhere').choices(
        logFormats,
      ),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  serve --data ./data\n' +
        '  serve --config conclave.yaml --server-id 2 --data ./data\n' +
        `\nKeys of a config file:\n${listed(configKeys())}`,
    )
  return parser.action(() => serve(parser.opts<ServeFlags & EndFlags>(), context))
}

/** Words in lines of their own that a terminal holds. */
const listed = (words: readonly string[]): string =>
  words
    .join(', ')
    .replace(/(.{1,70})(?: |$)/g, '  $1\n')
    .trimEnd()
