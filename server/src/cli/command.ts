import type { Client, WaitOptions } from '@conclave/client'
import type { Shown, View } from './output/view.js'
import type { Advice } from './sentence.js'

/**
 * One row of the table of commands: what it is called, what it takes, what it does, and how its
 * results look. A shell and the one-shot commands are two front ends of the same rows.
 */
export interface Command<O = unknown, R = unknown> {
  readonly name: string
  readonly alias?: string
  readonly summary: string
  /** In the order in which they are written; `<x>` must be there, `[x]` may, `...` repeats. */
  readonly parameters: readonly Parameter[]
  readonly options: readonly CommandOption[]
  /** Lines for the end of its help. */
  readonly examples: readonly string[]
  readonly advice?: Advice
  /** It may end without a result, by Ctrl-C; it has no time limit of its own. */
  readonly isEndless?: boolean
  run(context: CommandContext, words: readonly string[], options: O): AsyncIterable<R>
  /** For people. */
  show(result: R, view: View, options: O): Shown
  /** For `--json`: plain data. The result itself when left out. */
  toJson?(result: R, options: O): unknown
}

interface Parameter {
  readonly syntax: `<${string}>` | `[${string}]`
  readonly help: string
  /** A shell completes it with the paths of the tree. */
  readonly isPath?: boolean
}

export interface CommandOption {
  readonly flags: string
  readonly help: string
  /** @throws UsageError */
  readonly parse?: (value: string) => unknown
  /** It may be given several times; its value is the list. */
  readonly isRepeated?: boolean
}

/** What a command may use. */
export interface CommandContext {
  readonly client: Client
  /** For an operation that is one answer of the server. */
  readonly wait: WaitOptions
  /** For one in many pieces: no limit but the one that was asked for. */
  readonly longWait: WaitOptions
  /** The session, and with it every ephemeral, ends with this command. */
  readonly endsSession: boolean
  /** The path that is meant: in a shell it may be relative. */
  path(text: string, kind?: PathKind): string
  /** What a file holds; `-` is the standard input. */
  readInput(file: string): Promise<Uint8Array>
  /** For the person at the terminal, beside the results. */
  note(text: string): void
}

/** A prefix is what a sequential create adds its number to. */
export interface PathKind {
  readonly isPrefix?: boolean
}

/** A row as the table holds it: its own types are known to itself alone. */
export const commandRow = <O, R>(row: Command<O, R>): Command => row as unknown as Command

/** The data that a command's words or `--file` give; null when they give none. */
export const dataOf = async (
  context: CommandContext,
  word: string | undefined,
  file: string | undefined,
): Promise<Uint8Array | null> => {
  if (file !== undefined) return context.readInput(file)
  if (word === undefined) return null
  return word === '-' ? context.readInput('-') : new TextEncoder().encode(word)
}
