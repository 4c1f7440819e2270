import { PasswordHasher } from '#server/runtime/password-hasher.js'
import { limits, type Op } from '@conclave/protocol'
import t from 'tap'
import { attachRaw, existsOp, requestFrame } from '../../../support/raw-client.js'
import { startTestServer, tempDirectory } from '../../../support/server-kit.js'

const authOp = (user: string, password: string): Op<'auth'> => ({
  op: 'auth',
  scheme: 'digest',
  user,
  password,
})

t.test('ACL-5 a password is one identity, everywhere and after a restart', async (t) => {
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data })
  const identityOf = async (port: number, user: string, password: string): Promise<string> => {
    const client = await attachRaw(t, port)
    const { identity } = await client.result(authOp(user, password))
    t.equal(identity.scheme, 'digest')
    return identity.id
  }
  const id = await identityOf(server.clientPort, 'orders', 'caf\u00e9')
  t.match(id, /^orders:[0-9a-f]{64}$/)
  t.equal(await identityOf(server.clientPort, 'orders', 'caf\u00e9'), id)
  t.equal(await identityOf(server.clientPort, 'orders', 'cafe\u0301'), id, 'typed another way')
  const hash = id.slice('orders:'.length)
  const others = [
    await identityOf(server.clientPort, 'orders', 'cafe'),
    await identityOf(server.clientPort, 'bills', 'caf\u00e9'),
  ]
  for (const other of others) t.notMatch(other, hash)
  await server.stop()
  const again = await startTestServer(t, { data })
  t.equal(await identityOf(again.clientPort, 'orders', 'caf\u00e9'), id)
  const elsewhere = await startTestServer(t)
  t.not(await identityOf(elsewhere.clientPort, 'orders', 'caf\u00e9'), id, 'another ensemble')
})

t.test(
  'SERVER-6 others are served while passwords are hashed, and too many are refused',
  async (t) => {
    const { clientPort } = await startTestServer(t)
    const witness = await attachRaw(t, clientPort)
    const crowd = await Promise.all(Array.from({ length: 300 }, () => attachRaw(t, clientPort)))
    let answered = 0
    const throttled = crowd.map((client, i) => {
      client.send(requestFrame(1, authOp(`user${i}`, `${i}`)))
      const reply = client.next('reply')
      void reply.then(
        () => (answered += 1),
        () => undefined,
      )
      return reply.then(({ failure }) => {
        if (failure?.code !== 'throttled') throw new Error('it was hashed')
        return client
      })
    })
    const refused = await Promise.any(throttled)
    refused.send(requestFrame(2, existsOp('/')))
    const { failure } = await refused.next('reply', ({ xid }) => xid === 2)
    t.equal(failure, null, 'its connection stays open')
    t.equal((await witness.ask(existsOp('/'))).failure, null)
    t.ok(answered < crowd.length, 'meanwhile others still wait')
    for (const { socket } of crowd) socket.terminate()
  },
)

t.test('SERVER-6 as many as the bound wait, not one more', async (t) => {
  const hasher = new PasswordHasher()
  t.teardown(() => hasher.stop())
  const hash = (user: string): Promise<string | null> =>
    new Promise((resolve) => hasher.hash({ ensembleId: 'e', user, password: 'p' }, resolve))
  const first = hash('0')
  for (let i = 1; i < limits.passwordsWaitingMax; i++) void hash(`${i}`)
  t.equal(await hash('one more'), null)
  const known = await first
  t.match(known, /^[0-9a-f]{64}$/)
  t.equal(await hash('0'), known, 'what was hashed lately does not wait')
})
