import { limits } from '@conclave/protocol'
import t, { type Test } from 'tap'
import { packByHand } from '../support/hand-msgpack.js'
import { attachRaw, openRaw } from '../support/raw-client.js'
import { type BadMessage, syncOf } from './fixtures/messages.js'
import * as fixtures from './fixtures/messages.js'
import { goneWith, startTarget } from './hostile-kit.js'

const target = await startTarget(t)

/** Refused before and after the session is there; nobody else notices. */
const refused = async (t: Test, { bytes }: BadMessage): Promise<void> => {
  const message = bytes()
  const attached = await attachRaw(t, target.port)
  const fresh = await openRaw(t, target.port)
  attached.socket.send(message)
  fresh.socket.send(message)
  await target.progress()
  await Promise.all([goneWith(t, attached, 'badFrame'), goneWith(t, fresh, 'badFrame')])
  t.equal(attached.frames.length, 2, 'nothing of it was acted on')
  t.equal(fresh.frames.length, 1)
  await target.settled()
}

for (const each of fixtures.decodeBombs) {
  t.test(`WIRE-17 WIRE-12 ${each.name}`, (t) => refused(t, each))
}
for (const each of fixtures.lengthLies) {
  t.test(`WIRE-3 WIRE-17 ${each.name}`, (t) => refused(t, each))
}
for (const each of fixtures.notOneValue) t.test(`WIRE-3 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.mapsAndExtensions) {
  t.test(`WIRE-6 ${each.name}`, (t) => refused(t, each))
}
for (const each of fixtures.numbers) t.test(`WIRE-7 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.brokenTexts) t.test(`WIRE-18 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.unknownOrMisshapen) {
  t.test(`WIRE-4 ${each.name}`, (t) => refused(t, each))
}
for (const each of fixtures.wrongTypes) t.test(`WIRE-5 ${each.name}`, (t) => refused(t, each))

t.test('WIRE-7 -0 and 5.0 are the integers that they are', async (t) => {
  const other = await attachRaw(t, target.port)
  other.socket.send(
    Buffer.from(
      '9293 04 cb8000000000000000 00 93 04 cb4014000000000000 00'.replaceAll(' ', ''),
      'hex',
    ),
  )
  t.equal((await other.next('pong', ({ id }) => id === 5)).id, 5)
  t.equal(Object.is((await other.next('pong', ({ id }) => id === 0)).id, 0), true)
  other.socket.terminate()
  await target.settled()
})

t.test('LIMIT-4 LIMIT-5 one frame and one byte too many', async (t) => {
  const probes = (count: number): Uint8Array =>
    packByHand(Array.from({ length: count }, (_, id) => [5, id]))
  const good = await attachRaw(t, target.port)
  good.socket.send(probes(limits.framesPerMessageMax))
  await good.next('probed', ({ id }) => id === limits.framesPerMessageMax - 1)
  good.socket.send(probes(limits.framesPerMessageMax + 1))
  await goneWith(t, good, 'badFrame')
  const long = await attachRaw(t, target.port)
  long.socket.send(Buffer.alloc(limits.frameBytesMax + 1, 0x90))
  t.equal((await long.closed).code, 1009)
  t.equal(long.frames.length, 1)
  await target.settled()
})

t.test('WIRE-18 every character that UTF-8 has is read', async (t) => {
  const client = await attachRaw(t, target.port)
  // A good text, and a path that nobody may have: answered, not closed.
  client.socket.send(syncOf('a5 2f f0 9f 98 80'))
  t.equal((await client.next('reply')).failure?.code, 'badArguments')
  client.socket.terminate()
  await target.settled()
})
