import { styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]

/** Tells the story: coloured on a terminal unless NO_COLOR says otherwise, plain elsewhere. */
export class Narrator {
  readonly #out: NodeJS.WriteStream
  readonly #beganMs = performance.now()
  readonly #isColoured: boolean
  #acts = 0

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
    const isPlain = (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb'
    this.#isColoured = out.isTTY && !isPlain
  }

  title(text: string): void {
    this.#line(`\n${this.#style('bold', text)}`)
  }

  act(text: string): void {
    this.#acts += 1
    this.#line(`\n${this.#style(['bold', 'cyan'], `${this.#acts}. ${text}`)}`)
  }

  say(text: string): void {
    const seconds = ((performance.now() - this.#beganMs) / 1_000).toFixed(1).padStart(5)
    this.#line(`${this.#style('dim', `${seconds} s`)}  ${text}`)
  }

  good(text: string): void {
    this.say(this.#style('green', text))
  }

  bad(text: string): void {
    this.say(this.#style('red', text))
  }

  /** Rows of words; the first is the head. */
  table(rows: readonly (readonly string[])[]): void {
    const widths = (rows[0] ?? []).map((_, column) =>
      Math.max(...rows.map((row) => (row[column] ?? '').length)),
    )
    for (const [index, row] of rows.entries()) {
      const text = row.map((word, column) => word.padEnd(widths[column] ?? 0)).join('  ')
      const line = `${' '.repeat(9)}${text.trimEnd()}`
      this.#line(index === 0 ? this.#style('dim', line) : line)
    }
  }

  #style(format: Format, text: string): string {
    return this.#isColoured ? styleText(format, text) : text
  }

  #line(text: string): void {
    this.#out.write(`${text}\n`)
  }
}
