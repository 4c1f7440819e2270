import { Option, type Command as Parser } from 'commander'
import { quietParser } from '../parser.js'
import { wholeNumber } from '../parse-options.js'
import type { ProgramContext } from '../program-context.js'
import { type InspectFlags, inspectDirectory } from './inspect.js'

export const inspectParser = (context: ProgramContext): Parser =>
  quietParser('inspect', context.say)
    .summary('print what a data directory holds')
    .description(
      'Prints what a data directory holds, also while a server uses it. Nothing is changed.',
    )
    .usage('<log|snapshot> [options] <directory>')
    .addCommand(partParser('log', 'every segment, batch and txn of the log', context))
    .addCommand(partParser('snapshot', 'every snapshot and its entries', context))
    .addHelpText('after', '\nExamples:\n  inspect log ./data\n  inspect snapshot --limit 10 ./data')

const partParser = (
  part: 'log' | 'snapshot',
  summary: string,
  { host, output, say, interruptible }: ProgramContext,
): Parser => {
  const parser = quietParser(part, say)
    .summary(summary)
    .description(`Prints ${summary}.`)
    .argument('<directory>', 'the data directory of a server')
    .option('--json', 'print one JSON value a line')
    .addOption(
      new Option('-n, --limit <number>', 'stop after so many txns or entries').argParser(
        wholeNumber('--limit'),
      ),
    )
  return parser.action((directory: string) =>
    interruptible((signal) =>
      inspectDirectory(part, directory, parser.opts<InspectFlags>(), { host, output, signal }),
    ),
  )
}
