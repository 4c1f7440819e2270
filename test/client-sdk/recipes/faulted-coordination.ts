import { type Client, json } from '#client/index.js'
import {
  Barrier,
  Counter,
  DoubleBarrier,
  Election,
  PersistentEphemeral,
  SharedValue,
  TimestampOracle,
} from '#client/recipes/index.js'
import { demand, type FaultedRecipe, remove, scopeOf } from './faulted-recipe.js'
import { untilNames } from './recipe-kit.js'

/** What is not held but met at, counted, or kept alive. */
export const faultedCoordination: readonly FaultedRecipe[] = [
  {
    name: 'barrier',
    async run({ client, other, path }) {
      const at = `${path}/barrier`
      await new Barrier(other, at).close()
      const barrier = new Barrier(client, at)
      const passing = barrier.pass()
      await new Barrier(other, at).open()
      await passing
      await barrier.close({ whileAlive: true })
      await barrier.open()
    },
  },
  {
    name: 'double barrier',
    async run({ client, other, path }) {
      const at = `${path}/barrier`
      const [self, peer] = [client, other].map((one) => new DoubleBarrier(one, at, { members: 2 }))
      const over = new AbortController()
      const meeting = peer?.enter({ signal: over.signal }).then(() => peer.leave())
      try {
        await self?.enter()
        await self?.leave()
      } finally {
        over.abort(new Error('nobody else comes'))
        await meeting?.catch((error: unknown) => {
          if (error !== over.signal.reason) throw error
        })
      }
    },
  },
  {
    name: 'counter',
    async run({ client, other, path }) {
      const at = `${path}/counter`
      const counter = new Counter(client, at)
      let told = 0
      try {
        for (; told < 3; told += 1) await counter.add(1)
      } finally {
        const counted = await new Counter(other, at).get({ consistency: 'linearizable' })
        await remove(other, at)
        const isOne = counted === told || (told < 3 && counted === told + 1)
        demand(isOne, `${counted} steps were counted, ${told} were told`)
      }
    },
  },
  {
    name: 'shared value',
    async run({ client, other, path }) {
      const at = `${path}/value`
      const options = { initial: '', as: json<string>() }
      const shared = new SharedValue(client, at, options)
      let last = ''
      try {
        const values = shared.values()
        await values.next()
        for (const letter of ['a', 'b']) {
          await shared.update((value) => value + letter)
          last += letter
          demand((await values.next()).value?.value === last, 'it sees its own')
        }
        await values.return()
      } finally {
        const read = new SharedValue(other, at, options).get({ consistency: 'linearizable' })
        const { value } = await read
        await remove(other, at)
        const isOne = value === last || `${last}${last === '' ? 'a' : 'b'}` === value
        demand(isOne, `it is ${value} after ${last}`)
      }
    },
  },
  {
    name: 'timestamp oracle',
    async run({ client, other, path }) {
      let last = -1
      const lead = (one: Client): Promise<void> =>
        new Election(one, `${path}/leader`).lead(async ({ guard, isLeader }) => {
          const holding = { guard, isHeld: () => isLeader }
          const oracle = await TimestampOracle.open(one, `${path}/next`, holding, { window: 2 })
          for (const count of [1, 2, 3]) {
            const first = await oracle.next(count)
            demand(first > last, `${first} after ${last}`)
            last = first + count - 1
          }
        })
      try {
        await lead(client)
      } finally {
        await lead(other)
        await remove(other, `${path}/next`)
      }
    },
  },
  {
    name: 'persistent ephemeral',
    async run({ client, other, path }) {
      const over = new AbortController()
      const at = `${path}/alive`
      const keeping = new PersistentEphemeral(`${at}/me`).keep(client, { signal: over.signal })
      const made = untilNames(other, at, (names) => names.length > 0)
      await Promise.race([keeping, made])
      over.abort(new Error('enough'))
      await keeping.catch((error: unknown) => {
        if (error !== over.signal.reason) throw error
      })
    },
  },
  {
    name: 'session scope',
    outlivesSession: true,
    async run(faulted) {
      const { other, path } = faulted
      await using scope = scopeOf(faulted)
      const alive = new PersistentEphemeral(`${path}/alive/me`)
      const keeping = scope.run((one, signal) => alive.keep(one, { signal })).catch(() => {})
      await scope.run((one, signal) =>
        new Election(one, `${path}/leader`).lead(
          () => untilNames(other, `${path}/alive`, (names) => names.length > 0),
          { signal },
        ),
      )
      await scope.close()
      await keeping
    },
  },
]
