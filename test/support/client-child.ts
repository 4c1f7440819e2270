import { connect } from '#client/index.js'

export interface ClientChildOptions {
  readonly url: string
  readonly path: string
  readonly sessionTimeoutMs: number
}

export interface ClientMessage {
  readonly sessionId: number
}

/** A client in a process of its own: makes an ephemeral, says so, lives until it is killed. */
const main = async ({ url, path, sessionTimeoutMs }: ClientChildOptions): Promise<void> => {
  const client = await connect(url, { sessionTimeoutMs })
  await client.create(path, null, { kind: 'ephemeral' })
  process.send?.({ sessionId: client.sessionId } satisfies ClientMessage)
}

process.once('disconnect', () => process.exit())
process.once('message', (options: ClientChildOptions) => {
  main(options).catch((error: unknown) => {
    process.exitCode = 1
    process.disconnect()
    throw error
  })
})
