import type { Connect } from '@conclave/client'
import type { Sink } from './output/output.js'

/** The process that a command line runs in; a test brings its own. */
export interface Host {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: Sink
  readonly stderr: Sink
  readonly env: Readonly<Record<string, string | undefined>>
  readonly connect: Connect
  /** @returns stops listening */
  onSignal(listener: (signal: EndSignal) => void): () => void
  /** At once, whatever is under way. */
  exit(code: number): void
}

export type EndSignal = 'SIGINT' | 'SIGTERM'
