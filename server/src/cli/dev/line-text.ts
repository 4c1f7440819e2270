/** What a line of a server's stderr says to whoever watches an ensemble. */
export interface LineText {
  /** Null when it is not worth a line. */
  readonly text: string | null
  /** False for what the program says before it has a log. */
  readonly isLog: boolean
  readonly isServing: boolean
}

/** @param isVerbose true: every line of the log is worth one */
export const lineText = (line: string, isVerbose: boolean): LineText => {
  const entry = entryIn(line)
  if (entry === null) {
    return { text: line.replace(/^conclave: /, ''), isLog: false, isServing: false }
  }
  const {
    level,
    msg,
    time: _time,
    pid: _pid,
    hostname: _hostname,
    stack: _stack,
    ...fields
  } = entry
  const isServing = msg === 'serving'
  if (msg === 'roleChanged') return { text: roleText(fields), isLog: true, isServing }
  const isWorthIt = isVerbose || (typeof level === 'number' && level >= warnLevel)
  const details = Object.entries(fields).map(([name, value]) => `${name} ${plain(value)}`)
  const text = isWorthIt ? [String(msg), ...details].join(', ') : null
  return { text, isLog: true, isServing }
}

const entryIn = (line: string): Readonly<Record<string, unknown>> | null => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : null
  } catch {
    return null
  }
}

const roleText = ({ role, epoch, leader }: Readonly<Record<string, unknown>>): string => {
  if (role === 'looking') return 'looks for a leader'
  if (role === 'leading') return `leads in epoch ${plain(epoch)}`
  return `follows server ${plain(leader)} in epoch ${plain(epoch)}`
}

const plain = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '')

/** Of pino. */
const warnLevel = 40
