import { isDeepStrictEqual } from 'node:util'
import { BadVersionError, type Client, NodeExistsError, ref } from '#client/index.js'
import type { WireSpy } from './wire-spy.js'

/** What all writers share, made before they start. */
export const sharedPaths = ['/jobs', '/shared'] as const

/**
 * Keeps writes in flight through one client, each of which tells by its answer if any of its kind
 * was lost, applied twice or applied out of order: what it must be is known when it is called.
 */
export class ExactlyOnceWriter {
  readonly client: Client
  readonly spy: WireSpy
  readonly root: string
  readonly ephemerals: readonly string[]
  /** Names that the server gave. */
  readonly jobs: string[] = []
  /** The versions of the shared znode that this writer's sets made. */
  readonly sharedVersions: number[] = []
  readonly faults: string[] = []
  /** What each call was told, in the order of the calls, those of the preparation left out. */
  readonly told: Told[] = []
  /** How many writes the preparation has sent. */
  prepared = 0
  /** The znodes below the root, by name, as they must be once nothing is in flight. */
  readonly children = new Set<string>(['chain', 'multis'])
  chain = 0
  multis = 0
  refusals = 0
  settled = 0
  readonly #inFlightMax: () => number
  #calls = 0
  #inFlight = 0
  #isStopped = false
  #isDue = false
  #onIdle: () => void = () => undefined

  /** @param inFlightMax asked before each call */
  constructor(client: Client, spy: WireSpy, name: string, inFlightMax: () => number) {
    this.client = client
    this.spy = spy
    this.root = `/${name}`
    this.ephemerals = [0, 1, 2].map((i) => `/${name}-alive-${i}`)
    this.#inFlightMax = inFlightMax
  }

  async prepare(): Promise<void> {
    const { client, root } = this
    await client.create(root)
    await client.create(`${root}/chain`)
    await client.create(`${root}/multis`)
    for (const path of this.ephemerals) await client.create(path, null, { kind: 'ephemeral' })
    this.prepared = this.spy.writes.size
  }

  /**
   * Calls as much as may be in flight, a little each turn, so that it travels in many messages and
   * is logged in many batches. To be called again when more may be in flight.
   */
  write(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      for (let calls = 0; calls < callsPerTurn; calls++) {
        if (this.#isStopped || this.#inFlight >= this.#inFlightMax()) return
        this.#call()
      }
      this.write()
    })
  }

  /** Calls nothing more; resolves when every promise has settled. */
  stop(): Promise<void> {
    this.#isStopped = true
    return new Promise((resolve) => {
      this.#onIdle = resolve
      if (this.#inFlight === 0) resolve()
    })
  }

  #call(): void {
    this.#inFlight += 1
    this.#next()
      .catch((error: unknown) => this.faults.push(`${this.root}: ${String(error)}`))
      .finally(() => {
        this.#inFlight -= 1
        this.settled += 1
        if (this.#inFlight === 0 && this.#isStopped) this.#onIdle()
        else this.write()
      })
  }

  #next(): Promise<void> {
    const number = this.#calls++
    switch (number % 10) {
      case 0:
      case 1:
        return this.#create(`c-${number}`, number % 50 === 1 ? 'ephemeral' : 'persistent')
      case 2:
        return this.#createAgain(`c-${number - 1}`)
      case 3:
      case 4:
        return this.#setChain()
      case 5:
        return this.#setStale()
      case 6:
        return this.#createJob(number % 30 === 6 ? 'ephemeralSequential' : 'sequential')
      case 7:
        return this.#multi(`m-${number}`)
      case 8:
        return this.#failedMulti(`never-${number}`)
      default:
        return number % 20 === 9 ? this.#delete(`c-${number - 9}`) : this.#setShared()
    }
  }

  async #create(name: string, kind: 'persistent' | 'ephemeral'): Promise<void> {
    this.children.add(name)
    const { root } = this
    const { path, stat } = await this.#tell(
      this.client.create(`${root}/${name}`, filler, { kind, withStat: true }),
    )
    this.#expect('create', [path, stat.version, stat.mzxid], [`${root}/${name}`, 0, stat.czxid])
  }

  async #createAgain(name: string): Promise<void> {
    const made = this.client.create(`${this.root}/${name}`, filler)
    await this.#refused(made, NodeExistsError)
  }

  /** Each set names the version that the one before it makes. */
  async #setChain(): Promise<void> {
    const version = this.chain++
    const stat = await this.#tell(this.client.set(`${this.root}/chain`, filler, { version }))
    this.#expect('set', stat.version, version + 1)
  }

  /** The version was right once. */
  async #setStale(): Promise<void> {
    const version = this.chain - 1
    await this.#refused(this.client.set(`${this.root}/chain`, filler, { version }), BadVersionError)
  }

  async #createJob(kind: 'sequential' | 'ephemeralSequential'): Promise<void> {
    const path = await this.#tell(this.client.create('/jobs/job-', filler, { kind }))
    this.jobs.push(path)
  }

  async #multi(name: string): Promise<void> {
    this.children.add(name)
    const count = ++this.multis
    const transaction = this.client
      .transaction()
      .create(`${this.root}/${name}`, filler)
      .check(ref(0), { version: 0 })
      .set(`${this.root}/multis`, ref(0), { version: count - 1 })
    const [path, stat] = await this.#tell(transaction.commit())
    this.#expect('multi', [path, stat.version], [`${this.root}/${name}`, count])
  }

  async #failedMulti(name: string): Promise<void> {
    const commit = this.client
      .transaction()
      .create(`${this.root}/${name}`, filler)
      .check(`${this.root}/chain`, { version: 1_000_000 })
      .commit()
    await this.#refused(commit, BadVersionError)
  }

  async #delete(name: string): Promise<void> {
    this.children.delete(name)
    await this.#tell(this.client.delete(`${this.root}/${name}`))
  }

  async #setShared(): Promise<void> {
    const { version } = await this.#tell(this.client.set('/shared', filler))
    this.sharedVersions.push(version)
  }

  async #refused(
    call: Promise<unknown>,
    expected: typeof NodeExistsError | typeof BadVersionError,
  ): Promise<void> {
    try {
      await this.#tell(call)
    } catch (error) {
      if (!(error instanceof expected)) throw error
      this.refusals += 1
      return
    }
    this.faults.push(`${this.root}: ${expected.name} did not come`)
  }

  #tell<T>(call: Promise<T>): Promise<T> {
    this.told.push(tellingOf(call))
    return call
  }

  #expect(what: string, found: unknown, wanted: unknown): void {
    if (isDeepStrictEqual(found, wanted)) return
    this.faults.push(
      `${this.root}: ${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`,
    )
  }
}

/** What the promise of a call has said; null while it has said nothing. */
export interface Told {
  value: unknown
  error: unknown
  isSettled: boolean
}

export const tellingOf = (call: Promise<unknown>): Told => {
  const told: Told = { value: null, error: null, isSettled: false }
  call.then(
    (value) => Object.assign(told, { value, isSettled: true }),
    (error: unknown) => Object.assign(told, { error, isSettled: true }),
  )
  return told
}

const callsPerTurn = 40
const filler = new Uint8Array(200).fill(0x2e)
