import type { Style } from './style.js'

/** What a text for people depends on. */
export interface View {
  readonly style: Style
  /** A person looks at it, so that what is empty may be said to be so. */
  readonly isTerminal: boolean
  readonly nowMs: number
}

/** What is to be printed: lines, which end with a line end of their own, or bytes as they are. */
export type Shown = string | Uint8Array
