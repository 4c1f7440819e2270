import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, connect } from '#client/index.js'
import { wholeNumberText } from '#client/recipes/counter.js'
import { untilGone, untilNames } from '../client-sdk/recipes/recipe-kit.js'
import { EnsembleProcess } from './ensemble-process.js'
import { Forked } from './forked.js'
import { type HeldKind, heldKinds, hold, type Holding, type Written, writeToken } from './held.js'
import type { HeldWrite, HolderAnswer } from './paused-holder-child.js'
import type { Owner } from './wire-socket.js'

export interface PausedHoldersPlan {
  readonly processes: number
  /** How many things each process holds at once, each with a rival of its own: so many rounds. */
  readonly holdings: number
  /**
   * One batch after the other: how long the processes stand still, in ms from the moment in which
   * all do; `takeover`: until all rivals have taken over.
   */
  readonly batches: readonly (number | 'takeover')[]
}

/** What has become of one holder and its rival. */
export interface PausedRound {
  readonly kind: HeldKind
  /** By the holder, on its first step after the pause. */
  readonly late: HeldWrite
  readonly isLateAcceptedOutside: boolean
  /** By the one who has taken over. */
  readonly rival: RivalWrite
  readonly hadTakenOver: boolean
  /** The znode that both have written, in the end. */
  readonly value: { readonly token: number; readonly version: number }
}

/** Storage outside Conclave that knows of it only that tokens rise. */
class TokenCheckedStore {
  readonly #highest = new Map<string, number>()

  write(resource: string, token: number): boolean {
    if (token < (this.#highest.get(resource) ?? 0)) return false
    this.#highest.set(resource, token)
    return true
  }
}

/** Holders in processes of their own are stopped past their end, and rivals wait for that. */
export const pausedHolders = async (
  t: Owner,
  { processes, holdings, batches }: PausedHoldersPlan,
): Promise<readonly PausedRound[]> => {
  const ensemble = new EnsembleProcess(3)
  t.teardown(() => ensemble[Symbol.asyncDispose]())
  ensemble.startAll()
  const holders = Array.from(
    { length: processes },
    () => new Forked<HolderAnswer>('paused-holder-child'),
  )
  for (const holder of holders) t.teardown(() => holder.kill())
  const client = await connect(ensemble.url(), { connectTimeoutMs: 60_000 })
  t.teardown(() => client.close({ timeoutMs: 1 }))
  const stage = { ensemble, client, store: new TokenCheckedStore() }
  const rounds: PausedRound[] = []
  for (const [i, standingMs] of batches.entries()) {
    const playing = holders.map((holder, j) => {
      const name = `${i}-${j}`
      return playBatch(stage, holder, { name, holdings: holdingsOf(name, holdings), standingMs })
    })
    for (const played of await Promise.all(playing)) rounds.push(...played)
  }
  return rounds
}

const holdingsOf = (name: string, count: number): readonly Holding[] =>
  Array.from({ length: count }, (_, i) => ({
    kind: heldKinds[i % heldKinds.length] as HeldKind,
    path: `/held-${name}-${i}`,
    value: `/value-${name}-${i}`,
  }))

interface RivalWrite extends Written {
  readonly token: number
  readonly isAcceptedOutside: boolean
}

/** Waits for what another holds, and writes as soon as it has it. */
class Rival {
  /** Once it has; null before. */
  written: RivalWrite | null = null
  readonly takenOver: Promise<void>
  readonly #client: Client
  #release: () => Promise<unknown> = () => Promise.resolve()

  static async join(url: string, about: Holding, store: TokenCheckedStore): Promise<Rival> {
    const client = await connect(url, { sessionTimeoutMs: 60_000 })
    const rival = new Rival(client, about, store)
    const inQueue = untilNames(client, about.path, (names) => names.length > 1)
    await Promise.race([inQueue, rival.takenOver])
    return rival
  }

  private constructor(client: Client, about: Holding, store: TokenCheckedStore) {
    this.#client = client
    this.takenOver = this.#takeOver(about, store)
  }

  async leave(): Promise<RivalWrite> {
    await this.takenOver
    await this.#release()
    await this.#client.close()
    return this.written as RivalWrite
  }

  async #takeOver(about: Holding, store: TokenCheckedStore): Promise<void> {
    const held = await hold(this.#client, about)
    this.#release = () => held.release()
    const { token } = held
    const written = await writeToken(held, about.value)
    const isAcceptedOutside = store.write(about.value, token)
    this.written = { ...written, token, isAcceptedOutside }
  }
}

interface Stage {
  readonly ensemble: EnsembleProcess
  readonly client: Client
  readonly store: TokenCheckedStore
}

interface Batch {
  readonly name: string
  readonly holdings: readonly Holding[]
  readonly standingMs: number | 'takeover'
}

const playBatch = async (
  { ensemble, client, store }: Stage,
  holder: Forked<HolderAnswer>,
  { name, holdings, standingMs }: Batch,
): Promise<readonly PausedRound[]> => {
  await Promise.all(holdings.map(({ value }) => client.create(value, 0, { as: wholeNumberText })))
  const url = ensemble.url()
  const { tokens } = await holder.ask({ order: 'hold', url, holdings })
  for (const [i, { value }] of holdings.entries()) store.write(value, tokens[i] as number)
  const rivals = await Promise.all(holdings.map((holding) => Rival.join(url, holding, store)))

  const [standing, goOn] = ['standing', 'go-on'].map((file) =>
    join(ensemble.directory, `${file}-${name}`),
  ) as [string, string]
  const writing = holder.ask({ order: 'stand', standing, goOn })
  while (!existsSync(standing)) await pause(5)
  holder.stand()
  if (standingMs === 'takeover') await Promise.all(rivals.map(({ takenOver }) => takenOver))
  else await pause(standingMs)
  const hadTakenOver = rivals.map(({ written }) => written !== null)
  writeFileSync(goOn, '')
  holder.goOn()
  const { writes } = await writing

  const late = writes.map((write, i) => ({
    late: write,
    isLateAcceptedOutside: store.write((holdings[i] as Holding).value, write.token),
  }))
  await holder.ask({ order: 'release' })
  const ended = await Promise.all(rivals.map((rival) => rival.leave()))
  return Promise.all(
    holdings.map(async (holding, i) => {
      await untilGone(client, holding.path)
      const { data: token, stat } = await client.get(holding.value, { as: wholeNumberText })
      return {
        kind: holding.kind,
        ...(late[i] as (typeof late)[number]),
        rival: ended[i] as RivalWrite,
        hadTakenOver: hadTakenOver[i] as boolean,
        value: { token, version: stat.version },
      }
    }),
  )
}
