import {
  keepHeapSmall,
  type RunningServer,
  type ServerOptions,
  startServer,
} from '@conclave/server'
import { answerParent } from './child.js'
import type { ServerMeasure } from './report.js'
import { StallProbe } from './stall-probe.js'

/** With options it starts a server; `measure` asks what was since the last time. */
export type ServerQuestion = { readonly start: ServerOptions } | { readonly measure: true }

export type ServerAnswer = { readonly url: string } | { readonly measure: ServerMeasure }

let server: RunningServer | null = null
const probe = new StallProbe()
// As `conclave serve` does.
keepHeapSmall()

answerParent<ServerQuestion, ServerAnswer>(
  async (question) => {
    if ('measure' in question) return { measure: probe.take() }
    server = await startServer(question.start)
    return { url: server.url }
  },
  async () => {
    probe.stop()
    await server?.stop()
  },
)
