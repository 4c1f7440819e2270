import { limits, type MultiOp, type Op, type Xid } from '@conclave/protocol'
import t from 'tap'
import { type ClientKit, create, ReplicaKit } from '../../../support/replica-kit.js'
import { requestOf, rearm, told } from '../../../support/session-kit.js'
import { exists, multi } from '../../../support/tree-kit.js'

const children = limits.looksPerTurnMax + 1

/** A znode that costs more than a turn to look at. */
const bigTree = (): { readonly kit: ReplicaKit; readonly client: () => ClientKit } => {
  const kit = new ReplicaKit()
  const maker = kit.client()
  maker.create('/big')
  for (let made = 0; made < children;) {
    const count = Math.min(100, children - made)
    maker.ackedXid = maker.xid as Xid
    maker.ok(multi(Array.from({ length: count }, (_, i): MultiOp => create(`/big/${made + i}`))))
    made += count
  }
  return { kit, client: () => kit.client() }
}

/** Puts the requests in as one turn of the event loop does. */
const atOnce = (client: ClientKit, ops: readonly Op[]): void => {
  for (const op of ops) {
    client.xid += 1
    const frame = requestOf(op, client.xid)
    const { connection } = client
    client.kit.replica.step({ input: 'clientFrame', connection, frame, bytes: 100 })
  }
}

/** Who gets which replies, turn by turn, until there is nothing more to do. */
const turnsOf = (kit: ReplicaKit): readonly (readonly string[])[] => {
  const turns: string[][] = []
  for (let again = true; again;) {
    const effects = kit.replica.drain()
    again = effects.some(({ effect }) => effect === 'again')
    turns.push(
      effects.flatMap((effect) =>
        effect.effect === 'sendClient'
          ? effect.frames.map((frame) => `${effect.connection}:${'xid' in frame ? frame.xid : 0}`)
          : [],
      ),
    )
  }
  return turns
}

const path = '/big'
const count: Op = { op: 'countDescendants', path, linearizable: false, cursor: null }
const heavyReads: Readonly<Record<string, Op>> = {
  countDescendants: count,
  getChildren: {
    op: 'getChildren',
    path,
    watch: false,
    linearizable: false,
    cursor: null,
    limit: 0,
    withStat: false,
  },
  multiRead: { op: 'multiRead', reads: [{ op: 'getChildren', path }], linearizable: false },
  rearmWatches: rearm(1, { exists: Array.from({ length: 4_096 }, (_, i) => `/absent${i}`) }),
}

t.test('LIMIT-12 what looks at much takes turns, and nothing else waits for it', async (t) => {
  for (const [name, op] of Object.entries(heavyReads)) {
    const { kit, client } = bigTree()
    const [one, two, light] = [client(), client(), client()]
    atOnce(one, Array<Op>(6).fill(op))
    atOnce(two, Array<Op>(6).fill(op))
    atOnce(light, Array<Op>(20).fill(exists('/big')))
    const turns = turnsOf(kit)
    const [first = []] = turns
    const ofLight = first.filter((reply) => reply.startsWith(`${light.connection}:`))
    t.equal(ofLight.length, 20, `${name}: the light ones are answered in the first turn`)
    const heavy = turns.map((turn) => turn.filter((reply) => !ofLight.includes(reply)))
    for (const turn of heavy) t.ok(turn.length <= 2, `${name}: a turn is short`)
    for (const { connection } of [one, two]) {
      const own = heavy.flat().filter((reply) => reply.startsWith(`${connection}:`))
      t.same(
        own,
        [1, 2, 3, 4, 5, 6].map((xid) => `${connection}:${xid}`),
        `${name}: in order`,
      )
    }
    const half = heavy.flat().slice(0, 7).join()
    for (const { connection } of [one, two]) t.match(half, `${connection}:`, `${name}: both go on`)
  }
})

t.test('LIMIT-12 a write that looks at much waits for another turn too', async (t) => {
  const { kit, client } = bigTree()
  const [one, light] = [client(), client()]
  const big = multi(Array.from({ length: 128 }, () => ({ op: 'check', path, version: -1 })))
  atOnce(one, Array<Op>(4).fill(big))
  atOnce(light, [create('/light')])
  const proposed: number[] = []
  for (let isDone = false; !isDone;) {
    isDone = true
    for (const effect of kit.replica.drain()) {
      if (effect.effect === 'again') isDone = false
      if (effect.effect !== 'persist') continue
      isDone = false
      proposed.push(effect.txns.length)
      kit.replica.step({ input: 'persisted', ticket: effect.ticket })
    }
  }
  t.equal(proposed.filter((txns) => txns > 0).length, 2, 'not all at once')
  const all = proposed.reduce((sum, each) => sum + each, 0)
  t.equal(all, 5)
})

t.test(
  'LIMIT-12 a write whose turn has come is written in the next one, not at some tick',
  async (t) => {
    const { kit, client } = bigTree()
    const [one, two] = [client(), client()]
    const remove = (path: string): Op => ({ op: 'deleteRecursive', path })
    for (const path of ['/a', '/b']) one.create(path)
    kit.isDiskHeld = true
    atOnce(one, [remove('/a')])
    atOnce(two, [remove('/b')])
    const first = kit.replica.drain().map(({ effect }) => effect)
    t.same(first, ['persist', 'again'], 'nothing is to be sent, but something is to be written')
  },
)

t.test('LIMIT-12 READ-2 a request behind one that waits keeps its place', async (t) => {
  const { kit, client } = bigTree()
  const one = client()
  atOnce(one, [count, count, create('/big/last'), count])
  kit.run()
  const counted = one.take().map((frame) => frame.frame === 'reply' && frame.result)
  t.match(counted, [[children, null], [children, null], ['/big/last'], [children + 1, null]])
})

t.test('LIMIT-12 who has gone while it waited is passed over', async (t) => {
  const { kit, client } = bigTree()
  const [gone, other] = [client(), client()]
  atOnce(gone, Array<Op>(3).fill(count))
  kit.replica.step({ input: 'clientLost', connection: gone.connection })
  atOnce(other, Array<Op>(3).fill(count))
  kit.run()
  t.same(told(other), ['reply 1', 'reply 2', 'reply 3'])
})

t.test(
  'LIMIT-13 there are at most 100,000 sessions, and a place is free when one ends',
  async (t) => {
    const kit = new ReplicaKit()
    const first = kit.client()
    const connect = (connection: number, nonce: Uint8Array): void => {
      const id = connection as ClientKit['connection']
      kit.replica.step({ input: 'clientOpened', connection: id, address: '127.0.0.1' })
      const asked = { version: 1, sessionId: 0, attach: 1, sessionTimeoutMs: 60_000 }
      const seen = { lastZxidSeen: 0, ensembleId: null, ackedXid: 0 }
      const frame = { frame: 'connect', ...asked, nonce, ...seen } as never
      kit.replica.step({ input: 'clientFrame', connection: id, frame, bytes: 100 })
      kit.replica.step({ input: 'clientLost', connection: id })
    }
    const nonceOf = (made: number): Uint8Array => {
      const bytes = new Uint8Array(32)
      bytes.set([1, made >> 16, (made >> 8) & 255, made & 255])
      return bytes
    }
    for (let made = 1; made < limits.sessionsMax - 1; made++) {
      connect(1_000_000 + made, nonceOf(made))
      if (made % 1_000 === 0) kit.run()
    }
    kit.run()
    t.equal(kit.replica.status.sessions, limits.sessionsMax - 1)
    kit.isDiskHeld = true
    connect(9_999_999, nonceOf(limits.sessionsMax))
    const late = kit.open()
    t.match(late.connect(), { frame: 'closing', reason: 'tooManyConnections' }, 'one is on its way')
    t.equal(late.closed, 'tooManyConnections')
    kit.releaseDisk()
    t.equal(kit.replica.status.sessions, limits.sessionsMax)
    t.equal(first.code(exists('/')), null, 'who has a session keeps it')
    first.reply({ op: 'closeSession' })
    t.match(kit.client().sessionId, Number)
    t.equal(kit.replica.status.sessions, limits.sessionsMax)
  },
)
