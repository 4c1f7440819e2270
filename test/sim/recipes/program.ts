import { type Client, ConclaveError, NodeExistsError } from '#client/index.js'
import { connectorFor } from '#client/connect.js'
import { wholeNumberText } from '#client/recipes/counter.js'
import { Barrier } from '#client/recipes/index.js'
import type { SessionId } from '@conclave/protocol'
import type { WaitOptions } from '#client/index.js'
import type { ExclusiveGrants } from '../invariants/exclusive-grants.js'
import type { Random } from '../random.js'
import type { TraceHash } from '../trace-hash.js'
import { type GrantKind, grantKinds, type Held, holding, valueOf, writeToken } from './grants.js'
import { type Ground, simPlatform, simUrl } from './sim-platform.js'

/** What the programs of one world share. */
export interface Common {
  readonly grants: ExclusiveGrants
  readonly hash: TraceHash
  /** What became of what the programs did. */
  readonly counts: Map<string, number>
  /** Nothing more is begun; what was is still waited for. */
  readonly isOver: () => boolean
}

/** How many things a program does at once. */
const workers = 3

/** A program that uses recipes over the SDK's client, with one session after the other. */
export class Program {
  /** What each of its workers waits for; empty once it has ended. */
  readonly waitsFor = new Map<number, string>()
  /** Resolves when it has ended; a killed one never does. */
  readonly ended: Promise<void>
  readonly #ground: Ground
  readonly #common: Common
  readonly #platform: ReturnType<typeof simPlatform>
  #client: Client | null = null

  constructor(ground: Ground, common: Common) {
    this.#ground = ground
    this.#common = common
    this.#platform = simPlatform(ground)
    this.ended = this.#run()
  }

  get name(): string {
    return this.#ground.place
  }

  get process(): Ground['process'] {
    return this.#ground.process
  }

  /** Whether it counts on this session at this moment. */
  countsOn(sessionId: SessionId): boolean {
    const client = this.#client
    return !this.process.isDead && client?.sessionId === sessionId && client.isSafe
  }

  async #run(): Promise<void> {
    const { random, ensemble } = this.#ground
    const connect = connectorFor(this.#platform)
    const sessionTimeoutMs = random.pick([1_000, 2_000, 5_000])
    while (!this.#common.isOver()) {
      this.waitsFor.set(0, 'a connection')
      try {
        const client = await connect(simUrl(ensemble), { sessionTimeoutMs })
        this.#client = client
        for (const kind of grantKinds) await ensureValue(client, kind)
        await Promise.all(Array.from({ length: workers }, (_, i) => this.#work(client, i)))
        await client.close()
      } catch (error) {
        this.#ended('session', error)
      }
    }
    this.waitsFor.clear()
  }

  async #work(client: Client, index: number): Promise<void> {
    const random = this.#ground.random.split(`worker ${index} of ${client.sessionId}`)
    while (!this.#common.isOver() && client.state !== 'expired') {
      this.waitsFor.set(index, 'nothing')
      await this.#sleep(random.exponential(500))
      const what = random.pick([...grantKinds, 'barrier'] as const)
      this.waitsFor.set(index, what)
      try {
        if (what === 'barrier') await this.#meet(client, random)
        else await this.#hold(client, what, random)
        this.#count(what, 'done')
      } catch (error) {
        this.#ended(what, error)
      }
    }
    this.waitsFor.delete(index)
  }

  #hold(client: Client, kind: GrantKind, random: Random): Promise<void> {
    return holding(client, { kind, wait: drawWait(random) }, async (held) => {
      const { grants, hash } = this.#common
      hash.add('granted', this.name, kind, held.token)
      const stopWriting = this.process.onGoOn(() => void this.#write(client, held, 'late'))
      const giveBack = grants.granted(held, this.name)
      try {
        while (random.chance(0.8) && held.isHeld()) {
          await this.#sleep(random.exponential(200))
          await this.#write(client, held, 'guarded')
        }
      } finally {
        giveBack()
        stopWriting()
      }
    })
  }

  /** Whoever closes it opens it; the others pass. */
  async #meet(client: Client, random: Random): Promise<void> {
    const barrier = new Barrier(client, '/recipes/barrier')
    if (random.chance(0.6)) return barrier.pass(drawWait(random))
    if (!(await barrier.close({ ...drawWait(random), whileAlive: true }))) return
    await this.#sleep(random.exponential(500))
    await barrier.open()
  }

  async #write(client: Client, held: Held, what: 'guarded' | 'late'): Promise<void> {
    const isHeld = held.isHeld()
    try {
      await writeToken(client, held)
      this.#count(`${what} write`, 'done')
    } catch (error) {
      this.#ended(`${what} write ${isHeld ? 'while held' : 'when lost'}`, error)
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#platform.timer(ms, resolve))
  }

  /** As recipes may end. @throws what must not happen */
  #ended(what: string, error: unknown): void {
    const code = error instanceof ConclaveError ? error.code : (error as Error).name
    // A server that is full or busy may say so to whoever asks for something new.
    const isPassing = error instanceof ConclaveError && error.retry === 'later'
    if (!isPassing && !expected.has(code)) throw error
    this.#count(what, code)
  }

  #count(what: string, outcome: string): void {
    const { counts, hash } = this.#common
    const name = `${what} ${outcome}`
    hash.add(name, this.name)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
}

const expected: ReadonlySet<string> = new Set(['sessionExpired', 'fenced', 'TimeoutError'])

const drawWait = (random: Random): WaitOptions =>
  random.chance(0.3) ? { timeoutMs: random.between(0, 3_000) } : {}

const ensureValue = async (client: Client, kind: GrantKind): Promise<void> => {
  try {
    await client.create(valueOf(kind), 0, { as: wholeNumberText })
  } catch (error) {
    if (!(error instanceof NodeExistsError)) throw error
  }
}
