import { stripVTControlCharacters } from 'node:util'

/** How many columns a text takes on a terminal: colours none, wide characters two. */
export const textWidth = (text: string): number => {
  const visible = stripVTControlCharacters(text)
  if (/^[\u0020-\u007e]*$/.test(visible)) return visible.length
  let columns = 0
  for (const { segment } of graphemes.segment(visible)) columns += wide.test(segment) ? 2 : 1
  return columns
}

const graphemes = new Intl.Segmenter()

/** East Asian wide and fullwidth characters, and emoji. */
const wide = new RegExp(
  '^[' +
    String.raw`\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c` +
    String.raw`\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6` +
    String.raw`\u{20000}-\u{3fffd}]`,
  'u',
)
