import {
  keepHeapSmall,
  type ReplicaStatus,
  type RunningServer,
  type ServerOptions,
  startServer,
} from '@conclave/server'
import { answerParent } from './child.js'
import type { ServerMeasure } from './report.js'
import { StallProbe } from './stall-probe.js'

/** With options it starts a server; `measure` asks what was since the last time. */
export type ServerQuestion =
  | { readonly start: ServerOptions }
  | { readonly measure: true }
  | { readonly status: true }

export type ServerAnswer =
  | { readonly url: string }
  | { readonly measure: ServerMeasure }
  | { readonly status: ReplicaStatus | null }

let server: RunningServer | null = null
const probe = new StallProbe()
// As `conclave serve` does.
keepHeapSmall()

/** There is none while it reads its data anew. */
const statusOf = (running: RunningServer | null): ReplicaStatus | null => {
  try {
    return running?.status() ?? null
  } catch {
    return null
  }
}

answerParent<ServerQuestion, ServerAnswer>(
  async (question) => {
    if ('measure' in question) return { measure: probe.take() }
    if ('status' in question) return { status: statusOf(server) }
    server = await startServer(question.start)
    return { url: server.url }
  },
  async () => {
    probe.stop()
    await server?.stop()
  },
)
