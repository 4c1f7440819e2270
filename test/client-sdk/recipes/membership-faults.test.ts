import { type Client, FencedError, SessionExpiredError } from '#client/index.js'
import { Membership, type MembershipView } from '#client/recipes/index.js'
import t from 'tap'
import { startReal } from '../real-kit.js'
import { CuttingTransport, type Fault } from './cutting.js'
import { untilEmpty, untilNames } from './recipe-kit.js'

/** All of a membership: it waits for its id, prepares, follows the views, says more, and leaves. */
const live = async (client: Client, path: string): Promise<void> => {
  const me = await Membership.join(client, path, {
    id: 'db-1',
    async prepare({ guard }) {
      await client.transaction().add(guard).check('/').commit()
    },
  })
  const following = (async () => {
    for await (const { members } of me.views()) {
      if (members.get('db-1')?.state === 'leaving') break
    }
  })()
  const leaving = (async () => {
    await me.update('ready')
    await me.leave()
  })()
  // Whichever fails ends both, for they share the session.
  await Promise.all([following, leaving])
}

/** Another has the id first, and later deals with the leaving as one of the group. */
const accompany = async (other: Client, path: string) => {
  const you = await Membership.join(other, path, { id: 'db-2' })
  const steps: string[] = []
  const following = (async () => {
    for await (const { changes } of you.views()) {
      for (const { from, member } of changes) {
        if (member.id === 'db-1') steps.push(`${from} ${member.state}`)
      }
    }
  })()
  const past = await Membership.join(other, path, { id: 'db-1' })
  return {
    steps,
    leave: () => past.leave(),
    async end() {
      await you.leave({ drainMs: 0 })
      await following
    },
  }
}

interface Round {
  readonly hasStruck: boolean
  readonly outcome: unknown
  readonly steps: readonly string[]
  readonly last: MembershipView<unknown> | undefined
}

interface Place {
  readonly fault: Fault
  /** At which frame, from 1. */
  readonly at: number
}

const strike = async (other: Client, url: string, { fault, at }: Place): Promise<Round> => {
  const path = `/cluster-${fault}-${at}`
  const company = await accompany(other, path)
  const wire = new CuttingTransport()
  const client = await wire.connect(url)
  wire.arm(at, fault)
  const living = live(client, path).then(
    () => 'done',
    (error: unknown) => error,
  )
  await company.leave()
  const outcome = await living
  await client.close()
  await untilNames(other, `${path}/members`, (names) => !names.includes('db-1'))
  await company.end()
  await untilEmpty(other, `${path}/acknowledgements`)
  const last = (await Membership.views(other, path).next()).value ?? undefined
  return { hasStruck: wire.hasStruck, outcome, steps: company.steps, last }
}

const whole = ['null joining', 'joining active', 'active active', 'active leaving', 'leaving left']
const batch = 16

t.setTimeout(120_000)

t.test('RECIPE-138 a member with a fault at every frame', { timeout: 110_000 }, async (t) => {
  const { server, client: other } = await startReal(t)
  let struck = 0
  for (let from = 1, isOver = false; !isOver; from += batch) {
    const ats = Array.from({ length: batch }, (_, i) => from + i)
    isOver = true
    for (const fault of ['cutBefore', 'cutAfter', 'expire'] as const) {
      const rounds = await Promise.all(ats.map((at) => strike(other, server.url, { fault, at })))
      for (const [i, { outcome, steps, last, hasStruck }] of rounds.entries()) {
        const where = `${fault} at ${ats[i]}: ${String(outcome)}, ${steps.join()}`
        // Without those of the one who had the id before.
        const own = steps.slice(steps.lastIndexOf('null joining'))
        const mayFail = fault === 'expire' && hasStruck
        const hasFailed = outcome instanceof SessionExpiredError || outcome instanceof FencedError
        t.ok(outcome === 'done' || (mayFail && hasFailed), where)
        if (outcome === 'done') t.strictSame(own, whole, where)
        t.ok(own.at(-1) === 'leaving left' || own.at(-1)?.endsWith(' failed') === true, where)
        t.equal(last?.members.size, 0)
      }
      struck += rounds.filter(({ hasStruck }) => hasStruck).length
      isOver &&= rounds.some(({ hasStruck }) => !hasStruck)
    }
  }
  t.ok(struck > 60, `struck ${struck} times`)
})
