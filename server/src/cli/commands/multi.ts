import { type CommandContext, commandRow } from '../command.js'
import { parseLines } from '../multi/lines.js'
import { type MultiPlan, parseJsonPlan } from '../multi/plan.js'
import { type MultiDone, runPlan } from '../multi/transaction-of.js'
import { escapeText } from '../output/escape.js'
import { tableText } from '../output/table.js'
import { statJson } from '../output/znode-json.js'
import { UsageError } from '../usage-error.js'

interface Flags {
  readonly file?: string
}

export const multi = commandRow({
  name: 'multi',
  summary: 'run several operations, all or nothing',
  parameters: [{ syntax: '[line...]', help: "each line one word: 'create /a x' 'set /b y -v 3'" }],
  options: [
    { flags: '-f, --file <file>', help: 'read the lines from a file; - is the standard input' },
  ],
  examples: [
    "multi 'check /config -v 3' 'create -s /jobs/j- x' 'delete /old'",
    "multi 'if /config version 3' then 'set /config new' else 'create -s /conflicts/c-'",
    'multi --file change.txt',
    '',
    'What such a file holds ("fence", "if" and "else" only where they are wanted):',
    '  fence /shards/7/leader 42      only while this very znode is there, by its czxid',
    '  if /config version 3           also: exists, missing, data TEXT, czxid N, owner SESSION',
    '  then',
    '  create -s /jobs/j- first       create, set, delete, check, acl: as the commands',
    '  create $0/state on             $0: the path that operation 0 of the list creates',
    '  else',
    '  delete /old -v 2',
    '',
    'The same in JSON, where an array of operations is enough if there is nothing else:',
    '  {"fences": [{"path": "/shards/7/leader", "czxid": 42}],',
    '   "if": [{"path": "/config", "version": 3}],',
    '   "then": [{"op": "create", "path": "/jobs/j-", "data": "first", "kind": "sequential"},',
    '            {"op": "create", "path": "$0/state", "data": "on"}],',
    '   "else": [{"op": "delete", "path": "/old", "version": 2}]}',
  ],

  async *run(context, words, { file }: Flags) {
    const plan = await planOf(words, file, context)
    const hasBranches = plan.if.length > 0
    yield { ...(await runPlan(context.client, plan, context)), hasBranches }
  },
  show: ({ branch, steps, hasBranches }: Ran, { style }) => {
    const ran =
      branch === 'then' ? 'then: every condition holds' : 'else: a condition does not hold'
    const table = tableText(
      [{ title: 'OPERATION' }, { title: 'PATH' }, { title: 'RESULT' }],
      steps.map(({ op, path, result }) => [
        op,
        style.path(escapeText(path)),
        result !== null && typeof result === 'object'
          ? `version ${op === 'acl' ? result.aversion : result.version}`
          : 'ok',
      ]),
    )
    return [...(hasBranches ? [style.dim(ran)] : []), ...(steps.length > 0 ? [table] : [])].join(
      '\n',
    )
  },
  toJson: ({ branch, steps }) => ({
    branch,
    results: steps.map(({ op, path, result }) => ({
      op,
      path,
      ...(result !== null && typeof result === 'object' ? { stat: statJson(result) } : {}),
    })),
  }),
})

type Ran = MultiDone & { readonly hasBranches: boolean }

const planOf = async (
  words: readonly string[],
  file: string | undefined,
  context: CommandContext,
): Promise<MultiPlan> => {
  if (words.length > 0 && file !== undefined) {
    throw new UsageError('give the lines as words or in a file, not both')
  }
  if (words.length > 0) return notEmpty(parseLines(words, 'word'))
  const bytes = await context.readInput(file ?? '-')
  let text
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new UsageError('the multi is no text in UTF-8')
  }
  return notEmpty(
    /^\s*[[{]/.test(text) ? parseJsonPlan(text) : parseLines(text.split('\n'), 'line'),
  )
}

const notEmpty = (plan: MultiPlan): MultiPlan => {
  if (plan.then.length + plan.else.length > 0) return plan
  throw new UsageError('a multi has at least one operation')
}
