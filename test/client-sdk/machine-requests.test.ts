import { type Op, type Zxid, limits } from '@conclave/protocol'
import t from 'tap'
import { fakeStat } from '../support/fake-server.js'
import {
  brief,
  connected,
  create,
  done,
  failed,
  MachineKit,
  nonce,
  read,
  readDone,
  sent,
  set,
  setDone,
  settled,
  submit,
} from './machine-kit.js'

const remove: Op = { op: 'delete', path: '/a', version: -1 }

t.test('SDK-1 xids grow by one from 1, reads included, in one message a turn', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  const effects = kit.give(submit('w', set()), submit('r', read()), submit('x', remove))
  t.strictSame(effects, [
    {
      effect: 'send',
      connection: 1,
      frames: [
        { frame: 'request', xid: 1, ackedXid: 0, refusedSeen: 0, op: set() },
        { frame: 'request', xid: 2, ackedXid: 0, refusedSeen: 0, op: read() },
        {
          frame: 'request',
          xid: 3,
          ackedXid: 0,
          refusedSeen: 0,
          op: remove,
        },
      ],
    },
  ])
})

t.test('SDK-1 an aborted call that was never sent takes no xid', async (t) => {
  const kit = new MachineKit()
  kit.give(submit('a', set(), true), submit('b', set()))
  kit.give({ input: 'abort', token: 'a' })
  t.strictSame(brief(kit.attach()), ['1 setData 0/0'])
})

t.test(
  'SDK-2 ackedXid covers every write settled so far and never the request itself',
  async (t) => {
    const kit = new MachineKit()
    kit.attach()
    kit.give(submit('w1', set()), submit('r2', read()), submit('w3', set()))
    t.strictSame(settled(kit.hear(setDone(1), readDone(2))), ['w1 done', 'r2 done'])
    t.strictSame(brief(kit.give(submit('w4', set()))), ['4 setData 2/0'], 'w3 is open')
    kit.hear(setDone(3), setDone(4))
    t.strictSame(brief(kit.give(submit('r5', read()))), ['5 getData 4/0'])
    t.equal(kit.machine.calls.ackedXid, 5, 'a read needs no acknowledgement')
    t.strictSame(brief(kit.give(submit('r6', read()))), ['6 getData 5/0'])
  },
)

t.test('SDK-3 an ack leaves at once when many results are unacknowledged', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  for (let i = 1; i <= limits.ackAfterResults; i++) kit.machine.step(submit(`w${i}`, remove))
  kit.machine.drain()
  const last = limits.ackAfterResults
  for (let xid = 1; xid < last; xid++) t.strictSame(brief(kit.hear(done(xid, 'delete', {}))), [])
  const effects = kit.hear(done(last, 'delete', {}))
  t.strictSame(
    effects.map(({ effect }) => effect),
    ['settle', 'send'],
    'the caller first',
  )
  t.strictSame(sent(effects), [{ frame: 'ack', ackedXid: last }])
})

t.test('SDK-3 an ack leaves at once when large results are unacknowledged', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('a', create()), submit('b', create()))
  const path = `/${'x'.repeat(40_000)}`
  t.strictSame(brief(kit.hear(done(1, 'create', { path, stat: fakeStat() }))), [])
  t.strictSame(sent(kit.hear(done(2, 'create', { path, stat: fakeStat() }))), [
    { frame: 'ack', ackedXid: 2 },
  ])
})

t.test('SDK-4 further writes wait inside while too many are unacknowledged', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  for (let i = 1; i <= limits.unackedWritesMax + 2; i++) kit.machine.step(submit(`w${i}`, set()))
  t.equal(sent(kit.machine.drain()).length, limits.unackedWritesMax)
  const behind = Array.from({ length: limits.unackedWritesMax - 1 }, (_, i) => setDone(i + 2))
  t.strictSame(brief(kit.hear(...behind)), [], 'the first one holds up what was answered behind it')
  t.strictSame(brief(kit.hear(setDone(1))), ['1001 setData 1000/0', '1002 setData 1000/0'])
})

t.test('SDK-5 no more requests are in flight than a server takes', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  const max = limits.requestsPerSessionMax
  for (let i = 1; i <= max + 1; i++) kit.machine.step(submit(`r${i}`, read()))
  t.equal(sent(kit.machine.drain()).length, max)
  t.strictSame(brief(kit.hear(readDone(1))), [`${max + 1} getData ${max}/0`])
})

t.test('SDK-6 what is unanswered is sent again under its xid, in xid order', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()), submit('r2', read()), submit('w3', set()))
  t.strictSame(settled(kit.hear(setDone(1))), ['w1 done'])
  t.strictSame(settled(kit.lose()), [], 'nothing rejects')
  kit.give(submit('w4', set()))
  t.strictSame(sent(kit.open()), [
    {
      frame: 'connect',
      version: 1,
      sessionId: 7,
      nonce,
      attach: 2,
      sessionTimeoutMs: 9_000,
      lastZxidSeen: 20,
      ensembleId: 'e1',
      ackedXid: 2,
    },
  ])
  const effects = kit.hear(connected({ resumed: true }))
  t.strictSame(brief(effects), ['2 getData 1/0', '3 setData 2/0', '4 setData 2/0'])
})

t.test('SDK-6 an answer to an earlier connection is not taken for one to this', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()))
  kit.lose()
  kit.open()
  const late = { input: 'frame', connection: 1, frame: setDone(1) } as const
  t.strictSame(settled(kit.give(late)), [])
})

t.test('SDK-7 a transient refusal settles a call that was sent on one connection', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()), submit('w2', set()))
  t.strictSame(settled(kit.hear(failed(1, 'throttled'))), ['w1 throttled notExecuted'])
  t.strictSame(brief(kit.give(submit('w3', set()))), [], 'held until w2 is answered')
  const effects = kit.hear(failed(2, 'throttled'))
  t.strictSame(settled(effects), ['w2 throttled notExecuted'])
  t.strictSame(brief(effects), ['3 setData 2/2'], 'shows that both refusals were seen')
})

t.test(
  'SDK-8 a refused call of two connections stays and goes out before later ones',
  async (t) => {
    const kit = new MachineKit()
    kit.attach()
    kit.give(submit('w1', set()), submit('w2', set()))
    kit.lose()
    t.strictSame(brief(kit.attach()), ['1 setData 0/0', '2 setData 0/0'])
    t.strictSame(settled(kit.hear(failed(1, 'noSpace'))), [])
    kit.give(submit('w3', set()))
    t.strictSame(settled(kit.hear(failed(2, 'noSpace'))), [])
    const dueMs = kit.machine.wakeAtMs ?? 0
    t.strictSame(brief(kit.at(dueMs - 1)), [])
    t.strictSame(brief(kit.at(dueMs)), ['1 setData 0/2', '2 setData 0/2', '3 setData 0/2'])
    t.strictSame(settled(kit.hear(setDone(1), setDone(2), setDone(3))), [
      'w1 done',
      'w2 done',
      'w3 done',
    ])
  },
)

t.test('SDK-8 a refusal because the server is closing rejects nobody', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()))
  t.strictSame(settled(kit.hear(failed(1, 'closing'))), [])
  kit.lose()
  t.strictSame(brief(kit.attach()), ['1 setData 0/0'], 'a new connection has seen no refusal')
})

t.test('SDK-9 an aborted write stays unacknowledged until its outcome is known', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set(), true))
  t.strictSame(kit.give({ input: 'abort', token: 'w1' }), [])
  kit.lose()
  t.strictSame(brief(kit.attach()), ['1 setData 0/0'], 'still sent again')
  t.strictSame(brief(kit.give(submit('w2', set()))), ['2 setData 0/0'])
  t.strictSame(settled(kit.hear(setDone(1))), [], 'the caller has gone')
  t.strictSame(brief(kit.give(submit('w3', set()))), ['3 setData 1/0'])
})

t.test('SDK-9 an aborted read is not sent again', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('r1', read(), true), submit('r2', read()))
  kit.give({ input: 'abort', token: 'r1' })
  kit.lose()
  t.strictSame(brief(kit.attach()), ['2 getData 1/0'])
})

const undo = (czxid: number): Op => ({
  op: 'multi',
  fences: [{ path: '/a1', czxid: czxid as Zxid }],
  compares: [],
  // oxlint-disable-next-line unicorn/no-thenable -- the wire's name; a list, not a function
  then: [{ op: 'delete', path: '/a1', version: -1 }],
  else: [],
})

t.test('SDK-10 an aborted create that was executed is deleted, by its czxid', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('c', create(), true), submit('w', set()))
  kit.give({ input: 'abort', token: 'c' })
  const stat = fakeStat({ czxid: 33 })
  t.strictSame(sent(kit.hear(done(1, 'create', { path: '/a1', stat }))), [
    { frame: 'request', xid: 3, ackedXid: 1, refusedSeen: 0, op: undo(33) },
  ])
  kit.lose()
  t.strictSame(brief(kit.attach()), ['2 setData 1/0', '3 multi 1/0'])
  t.strictSame(settled(kit.hear(setDone(2), failed(3, 'fenced'))), ['w done'])
})

t.test('SDK-10 an aborted create that was not executed leaves nothing to do', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('c', create(), true))
  kit.give({ input: 'abort', token: 'c' })
  t.strictSame(kit.hear(failed(1, 'nodeExists')), [])
})

t.test('SDK-11 a reply that is not what its operation gives settles its call alone', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('r1', read()), submit('r2', read()))
  const effects = kit.hear({ ...readDone(1), result: ['?'] }, readDone(2))
  t.strictSame(settled(effects), ['r1 internal unknown', 'r2 done'])
})

t.test('SDK-61 a read whose answer is always too large is given up after three', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w', set()), submit('small', read('/s')), submit('large', read('/l')))
  kit.hear(setDone(1), readDone(2))
  const lose = () => {
    const connection = kit.machine.connection ?? 0
    return kit.give({ input: 'lost', connection, reason: 'too large', isTooLarge: true })
  }
  kit.give(submit('next', read('/n')))
  for (let i = 0; i < 2; i++) {
    t.strictSame(settled(lose()), [])
    t.strictSame(brief(kit.attach()), ['3 getData 2/0', '4 getData 3/0'])
  }
  t.strictSame(settled(lose()), ['large tooLarge notExecuted'])
  t.strictSame(brief(kit.attach()), ['4 getData 3/0'], 'the others go on')
  t.strictSame(settled(kit.hear(readDone(4))), ['next done'])
})

t.test('SDK-61 neither another loss nor another request counts', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w', set()), submit('r', read()))
  for (let i = 0; i < 5; i++) {
    const connection = kit.machine.connection ?? 0
    const lost = { input: 'lost', connection, reason: 'too large', isTooLarge: true } as const
    t.strictSame(settled(kit.give(lost)), [], 'the answer that was due was that of a write')
    kit.attach()
  }
  kit.hear(setDone(1))
  for (let i = 0; i < 5; i++) {
    t.strictSame(settled(kit.lose()), [], 'an ordinary loss')
    kit.attach()
  }
  t.strictSame(settled(kit.hear(readDone(2))), ['r done'])
})
