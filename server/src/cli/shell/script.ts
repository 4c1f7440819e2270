import { createInterface } from 'node:readline'
import { exitCodeOf, exitCodes } from '../exit-code.js'
import { commandNamed } from '../commands/table.js'
import type { ProgramContext } from '../program-context.js'
import { sentenceOf } from '../sentence.js'
import { scanWords } from '../split-words.js'
import type { ShellFlags } from './shell-flags.js'
import { ShellSession } from './shell-session.js'

/** Runs the lines of the standard input, in order, until the first error. */
export const runScript = (flags: ShellFlags, context: ProgramContext): Promise<void> =>
  context.interruptible(async (signal) => {
    const session = new ShellSession(flags, context)
    try {
      await session.client(signal)
      return await runLines(linesOf(context, signal), session, flags, signal)
    } finally {
      await session.close()
    }
  })

const runLines = async (
  lines: AsyncIterable<string>,
  session: ShellSession,
  { keepGoing }: ShellFlags,
  signal: AbortSignal,
): Promise<number> => {
  let code: number = exitCodes.ok.code
  let number = 0
  for await (const line of lines) {
    number += 1
    try {
      if ((await session.execute(line, signal)) === 'leave') return code
    } catch (error) {
      signal.throwIfAborted()
      const advice = commandNamed(scanWords(line).words[0]?.text ?? '')?.advice
      session.output.error(`line ${number}: ${sentenceOf(error, advice)}`)
      // The first error is what a caller should hear of.
      if (code === exitCodes.ok.code) code = exitCodeOf(error)
      if (keepGoing !== true) return code
    }
  }
  signal.throwIfAborted()
  return code
}

async function* linesOf({ host }: ProgramContext, signal: AbortSignal): AsyncGenerator<string> {
  const reader = createInterface({ input: host.stdin, terminal: false })
  const stop = (): void => reader.close()
  signal.addEventListener('abort', stop)
  try {
    yield* reader
  } finally {
    signal.removeEventListener('abort', stop)
    reader.close()
  }
}
