import { Command as Parser, CommanderError, Option } from 'commander'
import type { Command, CommandOption } from './command.js'
import { UsageError } from './usage-error.js'

/** What was typed after the name of a command. */
export interface Parsed {
  readonly words: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
}

/** Help was asked for; it is no fault. */
export class HelpAsked extends Error {
  override readonly name = 'HelpAsked'
  readonly help: string

  constructor(help: string) {
    super('help')
    this.help = help
  }
}

/** The parser of a row, with the options that its front end adds to every row. */
export const parserOf = (
  row: Command,
  added: readonly CommandOption[],
  say: (help: string) => void,
): Parser => {
  const parser = quietParser(row.name, say).summary(row.summary).description(sentence(row.summary))
  if (row.alias !== undefined) parser.alias(row.alias)
  for (const { syntax, help } of row.parameters) parser.argument(syntax, help)
  for (const option of [...row.options, ...added]) parser.addOption(optionOf(option))
  const examples = row.examples.map((line) => `  ${line}`).join('\n')
  return parser.addHelpText('after', `\nExamples:\n${examples}`)
}

/** @throws UsageError or HelpAsked */
export const parseWords = (
  row: Command,
  words: readonly string[],
  added: readonly CommandOption[] = [],
): Parsed => {
  let help = ''
  const parser = parserOf(row, added, (text) => {
    help += text
  })
  try {
    parser.parse(words, { from: 'user' })
  } catch (error) {
    throw parserError(parser, error, help)
  }
  return { words: parser.args, options: parser.opts() }
}

/** A parser that does not end the process, and leaves to others what it has to say. */
export const quietParser = (name: string, say: (help: string) => void): Parser =>
  new Parser(name)
    .exitOverride()
    .configureOutput({ writeOut: say, writeErr: say, outputError: () => {} })
    .helpOption('-h, --help', 'say what it does')
    .helpCommand(false)

/** Turns what a parser throws into what this program throws. */
export const parserError = (parser: Parser, error: unknown, help: string): unknown => {
  if (!(error instanceof CommanderError)) return error
  if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') {
    return new HelpAsked(help)
  }
  const said = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
  const names = parser.commands.map((command) => command.name())
  if (error.code === 'commander.help') return new UsageError(`say which: ${names.join(', ')}`)
  if (error.code !== 'commander.unknownOption') return new UsageError(said)
  const isProgram = parser.parent === null && names.length > 0
  if (isProgram) return new UsageError(`${said} before the command; options come after it`)
  return new UsageError(takesData(parser) ? `${said}; put -- before data that begins with -` : said)
}

export const optionOf = ({ flags, help, parse, isRepeated }: CommandOption): Option => {
  const option = new Option(flags, help)
  if (isRepeated === true) {
    return option.argParser((value: string, before?: readonly unknown[]) => [
      ...(before ?? []),
      parse === undefined ? value : parse(value),
    ])
  }
  return parse === undefined ? option : option.argParser((value: string) => parse(value))
}

const takesData = (parser: Parser): boolean =>
  parser.registeredArguments.some((argument) => argument.name() === 'data')

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
