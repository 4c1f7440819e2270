import { startServer, type ServerOptions } from '#server/main.js'

export type ServerMessage = { readonly url: string } | { readonly refused: string }

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

process.once('message', (options: ServerOptions) => {
  main(options).catch((error: unknown) => {
    // A server that had to end by itself ends its process; the parent sees that as a fault.
    process.exitCode = 1
    if (!process.connected) throw error
    const refused = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.send?.({ refused } satisfies ServerMessage, () => process.disconnect())
  })
})
