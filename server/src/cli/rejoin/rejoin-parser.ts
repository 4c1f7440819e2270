import type { Command as Parser } from 'commander'
import { quietParser } from '../parser.js'
import type { ProgramContext } from '../program-context.js'
import { rejoin, type RejoinFlags } from './rejoin.js'

export const rejoinParser = ({ output, say, interruptible }: ProgramContext): Parser => {
  const parser = quietParser('rejoin', say)
    .summary('set damaged data aside, to be taught by the other servers')
    .description(
      'Sets the data of a server aside, damaged or not, so that at its next start the other ' +
        'servers of its ensemble teach it anew.',
    )
    .requiredOption('--data <directory>', 'the data directory; no server may run on it')
    .option('--lose-data', 'also for a server that is alone: what it holds is lost')
    .addHelpText('after', '\nExamples:\n  rejoin --data ./data')
  return parser.action(() => interruptible(() => rejoin(parser.opts<RejoinFlags>(), output)))
}
