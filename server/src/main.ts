import { type RunningServer, startOn } from './running-server.js'
import type { ServerOptions } from './server-options.js'

export {
  type Ensemble,
  type EnsembleOptions,
  type EnsembleServer,
  startEnsemble,
} from './ensemble.js'
export type { RunningServer } from './running-server.js'
export type { ServerOptions } from './server-options.js'
export { keepHeapSmall } from './runtime/heap.js'
export { StartError, type StartErrorCode, type StartErrorOption } from './start-error.js'
export type { ReplicaStatus } from './core/replica-status.js'

/**
 * Starts one server in this process and resolves when it serves clients. The server is a quorum of
 * one: what it acknowledged is on its disk.
 *
 * @example
 * const data = mkdtempSync(join(tmpdir(), 'conclave-'))
 * await using server = await startServer({ data, clientPort: 0 })
 * await using client = await connect(server.url)
 *
 * @throws StartError with one sentence that says what to do
 */
export const startServer = async (options: ServerOptions): Promise<RunningServer> => {
  const server = await startOn(null, options)
  await server.serving
  return server
}
