import { Option, type Command as Parser } from 'commander'
import { quietParser } from '../parser.js'
import { wholeNumber } from '../parse-options.js'
import type { ProgramContext } from '../program-context.js'
import { dev, type DevFlags } from './dev.js'

export const devParser = (context: ProgramContext): Parser => {
  const parser = quietParser('dev', context.say)
    .summary('run a whole ensemble on this machine')
    .description('Runs an ensemble on this machine, each server a process of its own.')
    .addOption(
      new Option('--servers <number>', 'how many (default: 3)').argParser(
        wholeNumber('--servers', serversMax),
      ),
    )
    .option('--data <directory>', 'where the data of all is kept (default: ./data)')
    .option('--verbose', 'show all that the servers log')
    .addHelpText(
      'after',
      '\nServer i listens on 127.0.0.1: 740i for clients, 750i for servers, 760i for status.\n' +
        '\nExamples:\n  dev\n  dev --servers 5 --data /tmp/ensemble',
    )
  return parser.action(() => dev(parser.opts<DevFlags>(), context))
}

/** Their ports end in one digit. */
const serversMax = 9
