/** How words are set off on a terminal; elsewhere each gives its text back. */
export type Style = Readonly<Record<Tone, (text: string) => string>>
type Tone = keyof typeof tones

/** Colours for a terminal that wants them: see https://no-color.org. */
export const styleFor = (
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): Style => (hasColours(isTerminal, env) ? coloured : plain)

export const hasColours = (
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean => isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'

/** The numbers that begin and end each, as every terminal knows them. */
const tones = {
  title: [1, 22],
  path: [36, 39],
  good: [32, 39],
  warn: [33, 39],
  bad: [31, 39],
  dim: [2, 22],
} as const

const styleOf = (set: (tone: Tone, text: string) => string): Style => ({
  title: (text) => set('title', text),
  path: (text) => set('path', text),
  good: (text) => set('good', text),
  warn: (text) => set('warn', text),
  bad: (text) => set('bad', text),
  dim: (text) => set('dim', text),
})

export const plain: Style = styleOf((_tone, text) => text)
// Not util.styleText: what it asks the streams and the environment differs between versions.
const coloured: Style = styleOf((tone, text) => {
  const [begin, end] = tones[tone]
  return `\u001b[${begin}m${text}\u001b[${end}m`
})
