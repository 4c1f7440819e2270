import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Host } from '../host.js'
import { historyLinesMax } from '../limits.js'
import { scanWords } from '../split-words.js'

/** The lines that were typed, kept in a file of the user; a shell works as well without it. */
export interface History {
  /** The oldest first. */
  readonly lines: readonly string[]
  add(line: string): void
}

/** `$CONCLAVE_HISTORY` (empty: none), a file in `$XDG_STATE_HOME`, or `~/.conclave_history`. */
export const historyFile = (env: Host['env'], home: string = homedir()): string | null => {
  const named = env['CONCLAVE_HISTORY']
  if (named !== undefined) return named === '' ? null : named
  const state = env['XDG_STATE_HOME'] ?? ''
  return state === '' ? join(home, '.conclave_history') : join(state, 'conclave', 'history')
}

export const openHistory = (file: string | null): History => {
  if (file === null) return { lines: [], add() {} }
  const lines = readLines(file)
  let last = lines.at(-1)
  return {
    lines,
    add(line) {
      if (line.trim() === '' || line === last || holdsSecret(line)) return
      last = line
      attempt(() => {
        mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
        appendFileSync(file, `${line}\n`, { mode: 0o600 })
      })
    },
  }
}

/** A line with a password, which is nowhere to be kept. */
export const holdsSecret = (line: string): boolean => {
  const [first, ...rest] = scanWords(line).words
  return first?.text === 'auth' || rest.some(({ text }) => text.startsWith('--auth'))
}

const readLines = (file: string): readonly string[] => {
  const text = attempt(() => readFileSync(file, 'utf8')) ?? ''
  if (text === '') return []
  attempt(() => chmodSync(file, 0o600))
  const lines = text.split('\n').filter((line) => line !== '')
  const kept = lines.slice(-historyLinesMax)
  if (kept.length < lines.length) {
    attempt(() => {
      writeFileSync(`${file}.new`, `${kept.join('\n')}\n`, { mode: 0o600 })
      renameSync(`${file}.new`, file)
    })
  }
  return kept
}

/** A history that cannot be read or written is no reason to bother anybody. */
const attempt = <T>(action: () => T): T | null => {
  try {
    return action()
  } catch {
    return null
  }
}
