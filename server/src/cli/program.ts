import type { Command as Parser } from 'commander'
import type { Command } from './command.js'
import { commandNamed, commands } from './commands/table.js'
import { connectionOptions } from './connection.js'
import { devParser } from './dev/dev-parser.js'
import { exitCodeOf, exitCodes, exitCodesHelp } from './exit-code.js'
import type { Host } from './host.js'
import { inspectParser } from './inspect/inspect-parser.js'
import { Interrupted } from './interrupted.js'
import { runOneShot } from './one-shot.js'
import { Output } from './output/output.js'
import { HelpAsked, parserError, parserOf, quietParser } from './parser.js'
import { jsonOption } from './perform.js'
import type { ProgramContext } from './program-context.js'
import { rejoinParser } from './rejoin/rejoin-parser.js'
import { sentenceOf } from './sentence.js'
import { serveParser } from './serve/serve-parser.js'
import { shellParser } from './shell/shell-parser.js'
import { statusParser } from './status/status-parser.js'
import { version } from '../version.js'

/**
 * The whole command line.
 *
 * @param words without the names of node and of the program
 * @returns what the process is to end with; nothing throws
 */
export const runProgram = async (words: readonly string[], host: Host): Promise<number> => {
  const output = new Output(host, host.env)
  let help = ''
  let code: number = exitCodes.ok.code
  const context: ProgramContext = {
    host,
    output,
    say: (text) => {
      help += text
    },
    interruptible: async (run) => {
      code = (await interruptible(run, host)) ?? code
    },
  }
  const program = programFor(context)
  try {
    await program.parseAsync(plainWords(program, words), { from: 'user' })
    return code
  } catch (caught) {
    const asked = subcommandOf(program, plainWords(program, words))
    const error = parserError(asked ?? program, caught, help)
    if (error instanceof HelpAsked) {
      host.stdout.write(error.help)
      return exitCodes.ok.code
    }
    if (words.length === 0) {
      host.stderr.write(help)
      return exitCodes.usage.code
    }
    const sentence = sentenceOf(error, commandNamed(asked?.name() ?? '')?.advice)
    const name = asked === undefined ? 'conclave' : `conclave ${asked.name()}`
    output.error(error === caught ? sentence : `${sentence}; "${name} --help" says what there is`)
    if (isDebugging(host, words) && error instanceof Error) output.detail(error.stack ?? '')
    return exitCodeOf(error)
  }
}

const programFor = (context: ProgramContext): Parser => {
  const program = quietParser('conclave', context.say)
    .description('Conclave: a coordination server, and all that is needed to look into one.')
    .version(version, '-V, --version', 'print the version')
    .usage('<command> [options]')
    .enablePositionalOptions()
  program.commandsGroup('Servers:')
  for (const parser of [serveParser, devParser, statusParser, inspectParser, rejoinParser]) {
    program.addCommand(parser(context))
  }
  program.commandsGroup('The tree:')
  program.addCommand(shellParser(context))
  for (const row of commands) program.addCommand(oneShotParser(row, context))
  return program.addHelpText(
    'after',
    '\n"conclave help <command>" says what a command takes.\n\nExit codes:\n' + exitCodesHelp(),
  )
}

const oneShotParser = (
  row: Command,
  { host, output, say, interruptible }: ProgramContext,
): Parser => {
  const parser = parserOf(row, [jsonOption, ...connectionOptions], say)
  return parser.action(() =>
    interruptible((signal) => {
      const parsed = { words: parser.args, options: parser.opts() }
      return runOneShot(row, parsed, { host, output, signal })
    }),
  )
}

/** The first signal asks to end, the second ends. */
const interruptible = async <T>(
  run: (signal: AbortSignal) => Promise<T>,
  host: Host,
): Promise<T> => {
  const abort = new AbortController()
  const stop = host.onSignal((name) => {
    if (abort.signal.aborted) host.exit(exitCodeOf(new Interrupted(name)))
    abort.abort(new Interrupted(name))
  })
  try {
    return await run(abort.signal)
  } finally {
    stop()
  }
}

/** `help get` is another way to write `get --help`. */
const plainWords = (program: Parser, words: readonly string[]): string[] => {
  const [first, ...rest] = words
  if (first !== 'help') return [...words]
  const isKnown = rest.length === 0 || subcommandOf(program, rest) !== undefined
  return isKnown ? [...rest, '--help'] : rest
}

const subcommandOf = (program: Parser, words: readonly string[]): Parser | undefined => {
  const [name = ''] = words
  return program.commands.find(
    (parser) => parser.name() === name || parser.aliases().includes(name),
  )
}

/** Stack traces are for those who ask for them. */
const isDebugging = ({ env }: Host, words: readonly string[]): boolean =>
  (env['CONCLAVE_DEBUG'] ?? '') !== '' || /--log-level[= ](debug|trace)/.test(words.join(' '))
