import type { Command as Parser } from 'commander'
import { quietParser } from '../parser.js'
import type { ProgramContext } from '../program-context.js'
import { status, type StatusFlags } from './status.js'

export const statusParser = ({ output, say, interruptible }: ProgramContext): Parser => {
  const parser = quietParser('status', say)
    .summary('say how the servers are')
    .description('Asks the admin ports of servers how they are; one row a server.')
    .option('--config <file>', 'the config file of an ensemble: asks all servers that it lists')
    .option('--admin <url...>', 'admin ports to ask, as http://127.0.0.1:7600 or 127.0.0.1:7600')
    .option('--json', 'print a JSON list')
    .addHelpText(
      'after',
      '\nWithout --config and --admin it asks this machine: ports 7600 to 7603.\n' +
        '\nExamples:\n  status\n  status --config conclave.yaml --json\n' +
        '  status --admin 10.0.0.1:7600',
    )
  return parser.action(() => interruptible(() => status(parser.opts<StatusFlags>(), output)))
}
