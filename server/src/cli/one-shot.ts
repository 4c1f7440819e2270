import type { Command, PathKind } from './command.js'
import { type ConnectionFlags, openClient, waitsOf } from './connection.js'
import type { Host } from './host.js'
import { closeTimeoutMs } from './limits.js'
import type { Output } from './output/output.js'
import type { Parsed } from './parser.js'
import { perform } from './perform.js'
import { readInput } from './read-input.js'
import { treePath } from './tree-path.js'

/** Runs one command in a session of its own. */
export const runOneShot = async (
  row: Command,
  parsed: Parsed,
  { host, output, signal }: { host: Host; output: Output; signal: AbortSignal },
): Promise<void> => {
  const flags = parsed.options as ConnectionFlags
  const client = await openClient(flags, { host, output, signal })
  try {
    const context = {
      client,
      ...waitsOf(flags, signal),
      endsSession: true,
      path: (text: string, kind?: PathKind) => treePath(text, null, kind),
      readInput: (file: string) => {
        if (file === '-' && host.stdin.isTTY === true) output.note('end the input with Ctrl-D')
        return readInput(file, host.stdin, signal)
      },
      note: (text: string) => output.note(text),
    }
    await perform(row, parsed, context, output)
  } finally {
    await client.close({ timeoutMs: closeTimeoutMs })
  }
}
