import {
  type Client,
  type ConnectOptions,
  FencedError,
  SessionExpiredError,
} from '#client/index.js'
import { connectorFor } from '#client/connect.js'
import type { Platform } from '#client/transport/transport.js'
import { CuttingTransport, type Fault, isolatedTimeoutMs } from './cutting.js'
import type { FaultedRecipe } from './faulted-recipe.js'
import { untilGone } from './recipe-kit.js'

/** Where recipes run: servers, and places for clients of theirs. */
export interface FaultGround {
  readonly url: string
  /** @returns a place for one more client */
  place(): Platform
}

interface Place {
  readonly fault: Fault
  /** At which frame, from 1. */
  readonly at: number
}

/** One run with a fault at one frame. */
export interface Round extends Place {
  readonly hasStruck: boolean
  /** Whether the recipe ended as it may. */
  readonly isExpected: boolean
  /** In words. */
  readonly outcome: string
}

export interface EveryFrameOptions {
  readonly faults: readonly Fault[]
  /** Strikes only at each so many-th frame; at each by default. */
  readonly stride?: number
}

/** As many rounds of each fault at once. */
const batch = 8

/** Runs a recipe with each fault at each frame, until it ends before the fault would strike. */
export class EveryFrame {
  readonly #recipe: FaultedRecipe
  readonly #ground: FaultGround
  readonly #faults: readonly Fault[]
  readonly #stride: number
  readonly #session: ConnectOptions
  readonly #waiting = new Map<string, string>()

  constructor(recipe: FaultedRecipe, ground: FaultGround, options: EveryFrameOptions) {
    const { faults, stride = 1 } = options
    this.#recipe = recipe
    this.#ground = ground
    this.#faults = faults
    this.#stride = stride
    this.#session = faults.includes('isolate') ? { sessionTimeoutMs: isolatedTimeoutMs } : {}
  }

  /** What has not come to its end yet, in words. */
  get waiting(): readonly string[] {
    return Array.from(this.#waiting, ([which, forWhat]) => `${which} ${forWhat}`)
  }

  /** @returns once nothing is left of any run; never, if one hangs or leaves something behind */
  async run(): Promise<readonly Round[]> {
    const other = await this.#connect()
    const rounds: Round[] = []
    const step = this.#stride
    for (let from = 1, isOver = false; !isOver; from += batch * step) {
      const ats = Array.from({ length: batch }, (_, i) => from + i * step)
      const places = this.#faults.flatMap((fault) => ats.map((at) => ({ fault, at })))
      const played = await Promise.all(places.map((place) => this.#play(other, place)))
      rounds.push(...played)
      isOver = this.#faults.every((each) =>
        played.some(({ fault, hasStruck }) => fault === each && !hasStruck),
      )
    }
    await other.close()
    return rounds
  }

  /** One run; resolves once nothing of it is left. */
  async #play(other: Client, { fault, at }: Place): Promise<Round> {
    const which = `${fault} at ${at}`
    const path = `/run-${fault}-${at}`
    const wire = new CuttingTransport(this.#ground.place())
    const client = await wire.connect(this.#ground.url, this.#session)
    wire.arm(at, fault)
    this.#waiting.set(which, 'runs')
    const connect = (): Promise<Client> => this.#connect()
    const outcome = await this.#recipe.run({ client, other, path, connect }).then(
      () => done,
      (error: unknown) => error,
    )
    this.#waiting.set(which, `ended with ${String(outcome)} and left something behind`)
    // Not by the end of its session, as long as that lives.
    if (client.state !== 'expired') await untilGone(other, path)
    await client.close()
    await untilGone(other, path)
    this.#waiting.delete(which)
    const { hasStruck } = wire
    const isExpected = isEnd(this.#recipe, outcome, fault)
    return { fault, at, hasStruck, isExpected, outcome: String(outcome) }
  }

  #connect(): Promise<Client> {
    return connectorFor(this.#ground.place())(this.#ground.url)
  }
}

const done = 'done'
const endsSession: ReadonlySet<Fault> = new Set(['expire', 'isolate'])

const isEnd = ({ outlivesSession }: FaultedRecipe, outcome: unknown, fault: Fault): boolean => {
  if (outcome === done) return true
  if (outlivesSession === true || !endsSession.has(fault)) return false
  return outcome instanceof SessionExpiredError || outcome instanceof FencedError
}
