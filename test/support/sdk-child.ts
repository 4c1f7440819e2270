import { connect } from '#client/index.js'

/**
 * Uses a client in every way that may keep a process alive, closes it, and comes to its end. A test
 * sees whether the process does.
 */
const main = async (url: string, connectTimeoutMs: number): Promise<void> => {
  try {
    const client = await connect(url, { connectTimeoutMs })
    await client.create('/child', null, { kind: 'ephemeral' })
    await client.get('/child', { watch: true })
    const stream = client.watch('/child', { recursive: true })
    await stream.next()
    await client.set('/child', null, { timeoutMs: 60_000, signal: AbortSignal.timeout(60_000) })
    await Promise.all([client.close(), client.close()])
    process.stdout.write('closed')
  } catch (error) {
    process.stdout.write((error as { code?: string }).code ?? String(error))
  }
}

await main(process.argv[2] ?? '', Number(process.argv[3]))
