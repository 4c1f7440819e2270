import { startServer, type ServerOptions } from '#server/main.js'
import { nodeFiles } from '#server/runtime/storage/index.js'
import { type DiskMoment, DiskTrace } from './disk-trace.js'

export type ServerMessage = { readonly url: string } | { readonly refused: string }

export interface ServerOrder {
  /** To start a server; once. */
  readonly options?: ServerOptions
  /** Where to write down what is asked of the disk. */
  readonly trace?: string
  /** When to die by its own hand, from now on. */
  readonly moment?: DiskMoment
}

/**
 * A process that becomes a server when it is given options: until then it has only loaded what a
 * server needs. It ends in order when its parent lets it go.
 */
const main = async (options: ServerOptions): Promise<void> => {
  const server = await startServer(options)
  process.once('disconnect', () => void server.stop())
  process.send?.({ url: server.url } satisfies ServerMessage)
  await server.stopped
}

let trace: DiskTrace | null = null

process.on('message', (order: ServerOrder) => {
  if (order.trace !== undefined) {
    trace = new DiskTrace(nodeFiles, order.trace)
    // In its place, so that all else, the lock too, is as in every server.
    Object.assign(nodeFiles, trace)
  }
  if (order.moment !== undefined) trace?.dieAt(order.moment)
  if (order.options === undefined) return
  main(order.options).catch((error: unknown) => {
    // A server that had to end by itself ends its process; the parent sees that as a fault.
    process.exitCode = 1
    if (!process.connected) throw error
    const refused = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.send?.({ refused } satisfies ServerMessage, () => process.disconnect())
  })
})
