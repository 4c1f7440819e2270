import { textWidth } from './text-width.js'

interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Rows under titles, aligned, two spaces between columns; no borders, nothing cut off. */
export const tableText = (
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string =>
  aligned(
    columns.map(({ align = 'left' }) => align),
    [columns.map(({ title }) => title), ...rows],
  )

/** Names and what belongs to them, one pair a line. */
export const pairsText = (pairs: readonly (readonly [name: string, value: string])[]): string =>
  aligned(['left', 'left'], pairs)

const aligned = (
  aligns: readonly ('left' | 'right')[],
  rows: readonly (readonly string[])[],
): string => {
  const cells = rows.map((row) => row.map((text) => ({ text, width: textWidth(text) })))
  const widths = aligns.map((_, column) =>
    cells.reduce((most, row) => Math.max(most, row[column]?.width ?? 0), 0),
  )
  const lines = cells.map((row) =>
    row.map(({ text, width }, column) => {
      const blanks = ' '.repeat(Math.max(0, (widths[column] ?? 0) - width))
      return aligns[column] === 'right' ? blanks + text : text + blanks
    }),
  )
  return lines.map((line) => line.join('  ').trimEnd()).join('\n')
}
