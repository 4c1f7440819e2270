import type { Command, CommandContext } from './command.js'
import type { Output } from './output/output.js'
import type { Parsed } from './parser.js'

export const jsonOption = { flags: '--json', help: 'print the results as JSON' } as const

/** Runs a command and prints its results as they come. */
export const perform = async (
  row: Command,
  { words, options }: Parsed,
  context: CommandContext,
  output: Output,
): Promise<void> => {
  for await (const result of row.run(context, words, options)) {
    if (options['json'] === true) await output.json(row.toJson?.(result, options) ?? result)
    else await output.result(row.show(result, output.view, options))
  }
}
