import {
  failure,
  type ServerFrame,
  type SessionId,
  type Xid,
  type Zxid,
  Secret,
} from '@conclave/protocol'
import t from 'tap'
import {
  brief,
  connected,
  done,
  failed,
  MachineKit,
  nonce,
  pong,
  read,
  readDone,
  sent,
  set,
  setDone,
  settled,
  submit,
} from './machine-kit.js'

const stateOf = (effects: readonly { readonly effect: string }[]) =>
  effects.filter(({ effect }) => effect === 'state')

t.test(
  'SDK-12 the first frame of a connection is connect, for a new session at first',
  async (t) => {
    const kit = new MachineKit()
    t.match(kit.at(5), [{ effect: 'open', connection: 1 }])
    t.strictSame(kit.give({ input: 'opened', connection: 1 }, submit('w', set())), [
      {
        effect: 'send',
        connection: 1,
        frames: [
          {
            frame: 'connect',
            version: 1,
            sessionId: 0,
            nonce,
            attach: 1,
            sessionTimeoutMs: 9_000,
            lastZxidSeen: 0,
            ensembleId: null,
            ackedXid: 0,
          },
        ],
      },
    ])
    t.strictSame(kit.hear(connected()), [
      { effect: 'ready' },
      {
        effect: 'send',
        connection: 1,
        frames: [{ frame: 'request', xid: 1, ackedXid: 0, refusedSeen: 0, op: set() }],
      },
      {
        effect: 'state',
        change: { state: 'connected', deadline: 5 + 8_100, deadlinePassed: false, reason: null },
      },
    ])
  },
)

t.test('SDK-12 every connection counts, and connect says all that was seen', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('r', read()))
  kit.hear(readDone(1, 44))
  kit.lose()
  t.match(sent(kit.open()), [{ frame: 'connect', sessionId: 7, attach: 2, lastZxidSeen: 44 }])
  kit.lose()
  t.match(sent(kit.open()), [{ frame: 'connect', sessionId: 7, attach: 3, ensembleId: 'e1' }])
})

t.test('SDK-13 pings leave at a third of the timeout and extend the deadline', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  t.equal(kit.machine.deadlineMs, 8_100)
  t.strictSame(brief(kit.at(2_999)), [])
  t.strictSame(sent(kit.at(3_000)), [{ frame: 'ping', id: 1, ackedXid: 0 }])
  kit.nowMs = 3_400
  kit.hear(pong(1))
  t.equal(kit.machine.deadlineMs, 3_000 + 8_100, 'from the send time, not from the answer')
  t.strictSame(brief(kit.at(5_999)), [])
  t.strictSame(brief(kit.at(6_000)), ['ping'])
})

t.test('SDK-13 no other answer extends the deadline', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.nowMs = 2_000
  kit.give(submit('r', read()))
  kit.hear(readDone(1), { frame: 'probed', id: 1 }, pong(99))
  t.equal(kit.machine.deadlineMs, 8_100)
})

t.test('SDK-13 the granted timeout counts, not the one asked for', async (t) => {
  const kit = new MachineKit()
  kit.open()
  kit.hear(connected({ sessionTimeoutMs: 3_000 }))
  t.equal(kit.machine.deadlineMs, 2_700)
  t.equal(kit.machine.wakeAtMs, 1_000)
})

t.test('SDK-14 past the deadline the session stays suspended until a server speaks', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  t.strictSame(stateOf(kit.lose('gone')), [
    {
      effect: 'state',
      change: { state: 'suspended', deadline: 8_100, deadlinePassed: false, reason: 'gone' },
    },
  ])
  t.strictSame(stateOf(kit.at(8_099)), [])
  t.match(stateOf(kit.at(8_100)), [{ change: { state: 'suspended', deadlinePassed: true } }])
  t.strictSame(settled(kit.give(submit('w', set()))), [], 'calls wait')
  t.match(stateOf(kit.attach()), [{ change: { state: 'connected', deadlinePassed: false } }])
})

t.test('SDK-14 unanswered pings suspend a session that is still attached', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.at(3_000)
  for (let nowMs = 3_500; nowMs < 8_100; nowMs += 400) {
    kit.at(nowMs)
    kit.hear({ frame: 'probed', id: 1 })
  }
  t.match(stateOf(kit.at(8_100)), [{ change: { state: 'suspended', deadlinePassed: true } }])
  t.match(stateOf(kit.hear(pong(1))), [{ change: { state: 'connected', deadline: 11_100 } }])
})

t.test('SDK-15 an unanswered request brings a probe, a silent server is left', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.at(100)
  kit.give(submit('r', read()))
  t.strictSame(brief(kit.at(599)), [])
  t.strictSame(brief(kit.at(600)), ['probe'])
  t.strictSame(kit.at(1_599), [])
  const effects = kit.at(1_600)
  t.match(effects, [
    { effect: 'close', connection: 1, reason: 'the server stopped answering' },
    { effect: 'state', change: { state: 'suspended' } },
  ])
  t.strictSame(settled(effects), [])
  t.strictSame(brief(kit.attach()), ['1 getData 0/0'])
})

t.test('SDK-15 a server that answers probes keeps its requests', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('r', read()))
  t.strictSame(brief(kit.at(500)), ['probe'])
  kit.nowMs = 700
  kit.hear({ frame: 'probed', id: 1 })
  t.strictSame(kit.at(1_199), [])
  t.strictSame(brief(kit.at(1_200)), ['probe'])
  kit.nowMs = 1_300
  t.strictSame(settled(kit.hear(readDone(1))), ['r done'])
  t.strictSame(kit.at(2_999), [], 'nothing is unanswered')
})

t.test('SDK-15 an unanswered connect is probed too', async (t) => {
  const kit = new MachineKit()
  kit.open()
  t.strictSame(brief(kit.at(kit.nowMs + 500)), ['probe'])
  t.match(kit.at(kit.nowMs + 1_000), [{ effect: 'close', connection: 1 }])
})

t.test('SDK-16 every server is tried, the pauses grow and stay bounded', async (t) => {
  const kit = new MachineKit()
  const tried: string[] = []
  const pauses: number[] = []
  for (let i = 0; i < 30; i++) {
    const before = kit.nowMs
    const effects = kit.at(kit.wakeAtMs)
    pauses.push(kit.nowMs - before)
    for (const effect of effects) if (effect.effect === 'open') tried.push(effect.server)
    kit.lose('refused')
  }
  t.strictSame(tried.slice(0, 3).sort(), ['a:1', 'b:1', 'c:1'])
  t.strictSame(tried.slice(3, 6), tried.slice(0, 3), 'in turn')
  t.ok(
    pauses.slice(0, 4).every((pause) => pause <= 50),
    'one quick round',
  )
  t.ok(pauses.every((pause) => pause <= 2_000))
  t.ok(pauses.slice(-3).every((pause) => pause >= 1_000))
})

t.test('SDK-16 the seed decides the order of the servers', async (t) => {
  const servers = Array.from({ length: 20 }, (_, i) => `s${i}:1`)
  const firstOf = (seed: number): unknown => new MachineKit({ servers, seed }).at(0)
  t.strictSame(firstOf(1), firstOf(1))
  t.ok(new Set([1, 2, 3, 4, 5, 6].map((seed) => JSON.stringify(firstOf(seed)))).size > 1)
})

t.test('SDK-16 a connection that does not open in time is left', async (t) => {
  const kit = new MachineKit()
  kit.at(0)
  t.strictSame(kit.at(1_999), [])
  t.match(kit.at(2_000), [{ effect: 'close', connection: 1 }])
})

const expired = (
  complete: boolean,
  ...outcomes: readonly [xid: number, code: 'badVersion' | null][]
): ServerFrame => ({
  frame: 'sessionExpired',
  reason: 'expired',
  complete,
  outcomes: outcomes.map(([xid, code]) => {
    const result = code === null ? setDone(xid).result : null
    return { xid: xid as Xid, failure: code === null ? null : failure(code), result }
  }),
})

t.test('SDK-17 the outcomes of an expired session settle every write', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()), submit('w2', set()), submit('r3', read()), submit('w4', set()))
  kit.lose()
  kit.give(submit('w5', set()))
  kit.open()
  const effects = kit.hear(expired(true, [1, null], [2, 'badVersion']))
  t.strictSame(settled(effects), [
    'w1 done',
    'w2 badVersion notExecuted',
    'r3 sessionExpired notExecuted',
    'w4 sessionExpired notExecuted',
    'w5 sessionExpired notExecuted',
  ])
  t.match(stateOf(effects), [{ change: { state: 'expired', deadline: null } }])
  t.match(effects.at(-1), { effect: 'close', connection: 2 })
  t.strictSame(settled(kit.give(submit('w6', set()))), ['w6 sessionExpired notExecuted'])
  t.equal(kit.machine.wakeAtMs, null, 'nothing more is to be done')
})

t.test('SDK-17 past the tombstone what was sent is unknown, what was not is not', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()), submit('w2', set()))
  kit.lose()
  kit.give(submit('w3', set()))
  kit.open()
  t.strictSame(settled(kit.hear(expired(false, [2, null]))), [
    'w1 sessionExpired unknown',
    'w2 done',
    'w3 sessionExpired notExecuted',
  ])
})

t.test('SDK-17 another session in place of ours counts as expired', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()))
  kit.lose()
  kit.open()
  const effects = kit.hear(connected({ sessionId: 8 as SessionId }))
  t.strictSame(settled(effects), ['w1 sessionExpired unknown'])
  t.equal(kit.machine.state.state, 'expired')
})

t.test('SDK-17 a reply that says sessionExpired only makes the client ask again', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()))
  const effects = kit.hear(failed(1, 'sessionExpired'))
  t.strictSame(settled(effects), [])
  t.match(effects, [{ effect: 'close', connection: 1 }, { effect: 'state' }])
  kit.open()
  t.strictSame(settled(kit.hear(expired(true, [1, null]))), ['w1 done'])
})

t.test('SDK-18 close waits for what is under way, then ends the session', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()))
  t.strictSame(kit.give({ input: 'close', timeoutMs: 1_000 }), [])
  t.strictSame(settled(kit.give(submit('w2', set()))), ['w2 closing notExecuted'])
  const effects = kit.hear(setDone(1))
  t.strictSame(settled(effects), ['w1 done'])
  t.strictSame(brief(effects), ['2 closeSession 1/0'])
  t.match(kit.hear(done(2, 'closeSession', {})), [
    { effect: 'state', change: { state: 'closed' } },
    { effect: 'close', connection: 1 },
  ])
  t.equal(kit.machine.wakeAtMs, null)
})

t.test('SDK-18 a lost answer to closing is found out on the next connection', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give({ input: 'close', timeoutMs: 1_000 })
  kit.lose()
  kit.open()
  const gone = { frame: 'sessionExpired', reason: 'closed', complete: true, outcomes: [] } as const
  kit.hear(gone)
  t.equal(kit.machine.state.state, 'closed')
})

t.test('SDK-18 close is bounded, and says what it leaves open', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w1', set()), submit('r2', read()))
  kit.give({ input: 'close', timeoutMs: 400 })
  t.strictSame(settled(kit.at(399)), [])
  t.strictSame(settled(kit.at(400)), ['w1 closing unknown', 'r2 closing notExecuted'])
  t.equal(kit.machine.state.state, 'closed')
})

const identity = { scheme: 'digest', user: 'u', password: new Secret('p') } as const
const isU = { identity: { scheme: 'digest', id: 'u:x' } } as const

t.test('SDK-19 identities go first on every connection, and the rest waits for them', async (t) => {
  const kit = new MachineKit({ identities: [identity] })
  kit.give(submit('w', set()))
  t.strictSame(sent(kit.attach()), [
    {
      frame: 'request',
      xid: 1,
      ackedXid: 0,
      refusedSeen: 0,
      op: { op: 'auth', scheme: 'digest', user: 'u', password: 'p' },
    },
  ])
  const effects = kit.hear(done(1, 'auth', isU))
  t.match(effects[0], { effect: 'ready' })
  t.strictSame(brief(effects), ['2 setData 1/0'])
  kit.lose()
  t.strictSame(brief(kit.attach()), ['3 auth 1/0'], 'a fresh xid')
  t.strictSame(brief(kit.hear(done(3, 'auth', isU))), ['2 setData 1/0'])
})

t.test('SDK-19 an identity added later is shown again too, a refused one is not', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  const op = { op: 'auth', scheme: 'digest', user: 'u', password: '' } as const
  const auth = (token: string) => ({ ...submit(token, op), secret: new Secret('p') }) as const
  kit.give(auth('good'), auth('bad'))
  t.strictSame(settled(kit.hear(done(1, 'auth', isU), failed(2, 'authFailed'))), [
    'good done',
    'bad authFailed notExecuted',
  ])
  kit.lose()
  t.strictSame(brief(kit.attach()), ['3 auth 2/0'])
})

t.test('SDK-19 an identity refused for a moment is shown again', async (t) => {
  const kit = new MachineKit({ identities: [identity] })
  kit.attach()
  t.strictSame(brief(kit.hear(failed(1, 'throttled'))), [])
  t.strictSame(brief(kit.at(kit.wakeAtMs)), ['1 auth 0/1'])
})

t.test('SDK-20 frames of a left connection are not heard', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('w', set()))
  kit.hear({ frame: 'closing', reason: 'shutdown' }, setDone(1, 99))
  t.equal(kit.machine.lastZxidSeen, 0 as Zxid)
  t.strictSame(brief(kit.attach()), ['1 setData 0/0'])
})
