import type { Stat } from '@conclave/client'
import { type CommandContext, commandRow } from '../command.js'
import { addSteps, hasResult, type MultiStep, parseMulti, parseOperations } from '../multi-step.js'
import { escapeText } from '../output/escape.js'
import { tableText } from '../output/table.js'
import { statJson } from '../output/znode-json.js'
import { UsageError } from '../usage-error.js'

interface Flags {
  readonly file?: string
}

interface Done {
  readonly step: MultiStep
  /** Of a create the path, of a set or acl the stat, null otherwise. */
  readonly result: string | Stat | null
}

export const multi = commandRow({
  name: 'multi',
  summary: 'run several operations, all or nothing',
  parameters: [{ syntax: '[operation...]', help: "each one word: 'create /a x' 'set /b y -v 3'" }],
  options: [{ flags: '-f, --file <file>', help: 'read them from a file; - is the standard input' }],
  examples: [
    "multi 'check /config -v 3' 'create -s /jobs/j- x' 'delete /old'",
    'multi --file operations.txt      one operation a line:',
    '                                 create create-options PATH DATA | set PATH DATA [-v N]',
    '                                 | delete PATH [-v N] | check PATH [-v N]',
    '                                 | acl PATH ENTRY... [-v N] | fence PATH CZXID',
    'multi --file operations.json     the same in JSON:',
    '                                 [{"op":"create","path":"/a","data":"x","kind":"sequential"},',
    '                                  {"op":"create","path":"$0/state"}]',
    '($0 in a path is the path that operation 0 creates)',
  ],

  async *run(context, words, { file }: Flags) {
    const steps = await stepsOf(words, file, context)
    const transaction = addSteps(context.client.transaction(), steps, context)
    const results = await transaction.commit(context.wait)
    let next = 0
    yield steps.map((step): Done => {
      const result = hasResult(step) ? (results[next++] as Done['result']) : null
      return { step, result }
    })
  },
  show: (done: readonly Done[], { style }) =>
    tableText(
      [{ title: 'OPERATION' }, { title: 'PATH' }, { title: 'RESULT' }],
      done.map(({ step, result }) => [
        step.op,
        style.path(escapeText(typeof result === 'string' ? result : step.path)),
        result !== null && typeof result === 'object'
          ? `version ${step.op === 'acl' ? result.aversion : result.version}`
          : 'ok',
      ]),
    ),
  toJson: (done) =>
    done.map(({ step, result }) => ({
      op: step.op,
      path: typeof result === 'string' ? result : step.path,
      ...(result !== null && typeof result === 'object' ? { stat: statJson(result) } : {}),
    })),
})

const stepsOf = async (
  words: readonly string[],
  file: string | undefined,
  context: CommandContext,
): Promise<readonly MultiStep[]> => {
  if (words.length > 0 && file !== undefined) {
    throw new UsageError('give the operations as words or in a file, not both')
  }
  if (words.length > 0) return parseOperations(words)
  const bytes = await context.readInput(file ?? '-')
  try {
    return parseMulti(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError('the operations are no text in UTF-8')
  }
}
