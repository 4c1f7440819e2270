import { type Client, ConclaveError, type Connect, NodeExistsError } from '#client/index.js'
import { connectorFor } from '#client/connect.js'
import { wholeNumberText } from '#client/recipes/counter.js'
import type { SessionId } from '@conclave/protocol'
import type { TraceHash } from '../trace-hash.js'
import { activities } from './activities.js'
import { grantKinds, valueOf } from './grants.js'
import type { Oracles } from './oracles.js'
import { treePath } from './places.js'
import { type Ground, simPlatform, simUrl } from './sim-platform.js'
import type { User } from './user.js'

/** What the programs of one world share. */
export interface Common {
  readonly oracles: Oracles
  readonly hash: TraceHash
  /** What became of what the programs did. */
  readonly counts: Map<string, number>
  /** Nothing more is begun; what was is still waited for. */
  readonly isOver: () => boolean
}

/** How many things a program does at once. */
const workers = 4
/** Between two of them, on average. */
const thinkMs = 800
/** Something is held most of the time: what is lost while one stands still is rare. */
const names = [...Object.keys(activities), ...grantKinds, ...grantKinds]

/** A program that uses recipes over the SDK's client, with one session after the other. */
export class Program {
  /** What each of its workers waits for; empty once it has ended. */
  readonly waitsFor = new Map<number, string>()
  /** Resolves when it has ended; a killed one never does. */
  readonly ended: Promise<void>
  readonly #ground: Ground
  readonly #common: Common
  readonly #platform: ReturnType<typeof simPlatform>
  readonly #connect: Connect
  #client: Client | null = null

  constructor(ground: Ground, common: Common) {
    this.#ground = ground
    this.#common = common
    this.#platform = simPlatform(ground)
    this.#connect = connectorFor(this.#platform)
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
    const options = { sessionTimeoutMs: random.pick([1_000, 2_000, 5_000]) }
    const connect = (): Promise<Client> => this.#connect(simUrl(ensemble), options)
    while (!this.#common.isOver()) {
      this.waitsFor.set(0, 'a connection')
      try {
        const client = await connect()
        this.#client = client
        await prepare(client)
        const users = Array.from({ length: workers }, (_, i) => this.#user(client, connect, i))
        await Promise.all(users.map((user, i) => this.#work(user, i)))
        await client.close()
      } catch (error) {
        this.#ended('session', error)
      }
    }
    this.waitsFor.clear()
  }

  #user(client: Client, connect: () => Promise<Client>, index: number): User {
    return {
      name: this.name,
      process: this.process,
      client,
      connect,
      random: this.#ground.random.split(`worker ${index} of ${client.sessionId}`),
      oracles: this.#common.oracles,
      sleep: (ms) => new Promise((resolve) => void this.#platform.timer(ms, resolve)),
      done: (what) => this.#count(what),
      ended: (what, error) => this.#ended(what, error),
    }
  }

  async #work(user: User, index: number): Promise<void> {
    const { client, random, sleep } = user
    while (!this.#common.isOver() && client.state !== 'expired') {
      this.waitsFor.set(index, 'nothing')
      await sleep(random.exponential(thinkMs))
      const what = random.pick(names)
      this.waitsFor.set(index, what)
      try {
        await activities[what]?.(user)
        this.#count(`${what} done`)
      } catch (error) {
        this.#ended(what, error)
      }
    }
    this.waitsFor.delete(index)
  }

  /** As recipes may end. @throws what must not happen */
  #ended(what: string, error: unknown): void {
    const code = error instanceof ConclaveError ? error.code : (error as Error).name
    // A server that is full or busy may say so to whoever asks for something new.
    const isPassing = error instanceof ConclaveError && error.retry === 'later'
    if (!isPassing && !expected.has(code)) throw error
    this.#count(`${what} ${code}`)
  }

  #count(what: string): void {
    const { counts, hash } = this.#common
    hash.add(what, this.name)
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
}

const expected: ReadonlySet<string> = new Set(['sessionExpired', 'fenced', 'TimeoutError'])

/** What is written under guards, and the root of the tree that caches follow. */
const prepare = async (client: Client): Promise<void> => {
  for (const path of grantKinds.map(valueOf)) await ensure(client, path)
  await ensure(client, treePath)
}

const ensure = async (client: Client, path: string): Promise<void> => {
  try {
    await client.create(path, 0, { as: wholeNumberText })
  } catch (error) {
    if (!(error instanceof NodeExistsError)) throw error
  }
}
