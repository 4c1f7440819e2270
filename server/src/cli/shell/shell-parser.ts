import type { Command as Parser } from 'commander'
import { connectionOptions } from '../connection.js'
import { optionOf, quietParser } from '../parser.js'
import type { ProgramContext } from '../program-context.js'
import { runScript } from './script.js'
import type { ShellFlags } from './shell-flags.js'
import { runTerminal } from './terminal.js'

export const shellParser = (context: ProgramContext): Parser => {
  const parser = quietParser('shell', context.say)
    .summary('type commands in one session, or run a script of them')
    .description(
      'Takes the commands of the tree, one a line, in one session that lasts until the end.',
    )
  for (const option of connectionOptions) parser.addOption(optionOf(option))
  parser
    .option('-k, --keep-going', 'in a script: go on after an error')
    .addHelpText(
      'after',
      '\nExamples:\n  shell --connect 10.0.0.1:7400,10.0.0.2:7400\n  shell < script\n' +
        '\nIn it, "help" says what there is.\n' +
        'A script ends at its first error, with the exit code of that command.',
    )
  return parser.action(() => {
    const flags = parser.opts<ShellFlags>()
    const isTerminal = context.host.stdin.isTTY === true && context.host.stdout.isTTY === true
    return isTerminal ? runTerminal(flags, context) : runScript(flags, context)
  })
}
