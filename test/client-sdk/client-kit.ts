import { connect } from '#client/index.js'
import type { Client, ConnectOptions } from '#client/index.js'
import type { ClientFrame, OpName } from '@conclave/protocol'
import type { Test } from 'tap'
import { type FakeServer, startFakeServer } from '../support/fake-server.js'

export interface Pair {
  readonly server: FakeServer
  readonly client: Client
}

/** A fake server and a client attached to it; both gone when the test ends. */
export const startPair = async (
  t: Test,
  chroot = '',
  options: ConnectOptions = {},
): Promise<Pair> => {
  const server = await startFakeServer()
  const client = await connect(`conclave://${server.address}${chroot}`, options)
  t.teardown(async () => {
    await client.close({ timeoutMs: 1_000 })
    await server.close()
  })
  return { server, client }
}

export const isOp =
  (name: OpName) =>
  (frame: ClientFrame): boolean =>
    frame.frame === 'request' && frame.op.op === name

/** The operations that came, in order. */
export const opsOf = ({ frames }: FakeServer) =>
  frames.flatMap((frame) => (frame.frame === 'request' ? [frame.op] : []))

/** What a promise rejects with. */
export const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not reject')
}
