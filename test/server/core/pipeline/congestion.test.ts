import t from 'tap'
import {
  bytesOf,
  type ClientKit,
  create,
  getData,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'

const congested = (kit: ReplicaKit, client: ClientKit, isCongested: boolean): void =>
  kit.step({ input: 'clientCongested', connection: client.connection, congested: isCongested })

t.test('READ-2 a read that waits for its client sees no write that came after it', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.ok(create('/a', { data: bytesOf('before') }))
  congested(kit, client, true)
  const read = client.send(getData('/a'))
  const write = client.send(setData('/a', bytesOf('after')))
  t.same(client.take(), [], 'nothing is answered to who takes nothing')
  congested(kit, client, false)
  t.match(client.take(), [
    { frame: 'reply', xid: read, result: [bytesOf('before')] },
    { frame: 'reply', xid: write, failure: null },
  ])
})

t.test('READ-2 reads between pipelined writes each see the state of their place', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.ok(create('/a', { data: bytesOf('0') }))
  kit.isDiskHeld = true
  for (let i = 1; i <= 40; i++) {
    client.send(setData('/a', bytesOf(String(i))))
    client.send(getData('/a'))
  }
  congested(kit, client, true)
  kit.releaseDisk()
  congested(kit, client, false)
  const read = client.take().flatMap((frame) => {
    const result = frame.frame === 'reply' ? (frame.result as unknown[]) : []
    return result[0] instanceof Uint8Array ? [Buffer.from(result[0]).toString()] : []
  })
  t.same(
    read,
    Array.from({ length: 40 }, (_, i) => String(i + 1)),
  )
})
