import { NoNodeError } from '@conclave/client'
import { commandNamed, commands } from '../commands/table.js'
import { waitsOf } from '../connection.js'
import { escapeText } from '../output/escape.js'
import { pairsText } from '../output/table.js'
import { credentials, wholeNumber } from '../parse-options.js'
import { treePath } from '../tree-path.js'
import { UsageError } from '../usage-error.js'
import type { Builtin } from './builtin.js'

export const builtins: readonly Builtin[] = [
  {
    name: 'help',
    syntax: 'help [command]',
    help: 'list the commands, or say what one takes',
    async run(session, [name], signal) {
      if (name === undefined) return session.output.result(overview())
      if (commandNamed(name) === undefined && builtinNamed(name) === undefined) {
        throw new UsageError(`there is no command "${escapeText(name)}"; "help" lists them`)
      }
      return session.execute(`${name} --help`, signal)
    },
  },
  {
    name: 'cd',
    syntax: 'cd [path]',
    help: 'make a znode the place where relative paths start',
    takesPath: true,
    async run(session, [word = '/'], signal) {
      const path = treePath(word, session.place)
      const client = await session.client(signal)
      const stat = await client.exists(path, waitsOf({}, signal).wait)
      if (stat === null) throw new NoNodeError({ path })
      session.place = path
    },
  },
  {
    name: 'pwd',
    syntax: 'pwd',
    help: 'print that place',
    run: (session) => session.output.result(escapeText(session.place)),
  },
  {
    name: 'jobs',
    syntax: 'jobs',
    help: 'list what runs in the background: what ended with &, such as "watch -r / &"',
    async run({ jobs, output }) {
      if (jobs.all.length === 0) return output.note('nothing runs in the background')
      return output.result(jobs.all.map(({ id, line }) => `[${id}] ${escapeText(line)}`).join('\n'))
    },
  },
  {
    name: 'stop',
    syntax: 'stop <job>',
    help: 'end what runs in the background under that number',
    async run({ jobs }, [id = '']) {
      jobs.stop(wholeNumber('a job')(id.replace(/^%/, '')))
    },
  },
  {
    name: 'auth',
    syntax: 'auth <user>[:<password>]',
    help: 'say who you are; without a password it is asked for. Not kept in the history',
    async run(session, [word = ''], signal) {
      const asks = !word.includes(':') && word !== '' ? session.askSecret : null
      const said = asks === null ? word : `${word}:${await asks(`password of ${word}: `)}`
      const identity = await session.logIn(credentials(said), signal)
      session.output.note(`you are ${identity}`)
    },
  },
  {
    name: 'exit',
    syntax: 'exit',
    help: 'leave; so does Ctrl-D',
    run: async () => 'leave',
  },
]

export const builtinNamed = (name: string): Builtin | undefined =>
  builtins.find((row) => row.name === (name === 'quit' ? 'exit' : name))

/** The names of all that a shell takes, as it lists them. */
export const shellNames = (): readonly string[] =>
  [...commands, ...builtins].map(({ name }) => name)

const overview = (): string =>
  pairsText([
    ...commands.map(({ name, parameters, summary }): [string, string] => [
      [name, ...parameters.map(({ syntax }) => syntax)].join(' '),
      summary,
    ]),
    ...builtins.map(({ syntax, help }): [string, string] => [syntax, help]),
  ]) +
  '\n\n"help get" says what get takes. A command that ends with & runs in the background. Words\n' +
  'with blanks stand in quotes. Tab completes commands and paths, Ctrl-C ends a command.'
