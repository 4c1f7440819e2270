import { existsSync, type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { DiskMoment } from './disk-trace.js'
import type { ExactlyOnceWriter } from './exactly-once-writer.js'
import type { LogWitness } from './log-witness.js'
import type { ServerProcess } from './server-process.js'
import type { WireObserver, WireSpy } from './wire-spy.js'

/**
 * When to kill: after so many replies, while a file of this kind is being written, at this share of
 * a write's life after it was sent, or in this moment of the server's work on the disk.
 */
export type Aim =
  | { readonly aim: 'replies'; readonly count: number }
  | { readonly aim: 'snapshot' | 'segment' }
  | { readonly aim: 'life'; readonly share: number }
  | { readonly aim: 'disk'; readonly moment: DiskMoment }

/** What a kill has hit. */
export interface Killed {
  readonly aim: Aim['aim']
  /** For each session, its writes without an answer when the signal was sent. */
  readonly unanswered: readonly number[]
  /** Of the writes that never got an answer from this server: logged, or not even that. */
  readonly logged: number
  readonly unlogged: number
  /** What the directory shows to have been under way. */
  readonly during: readonly ('snapshot' | 'segment')[]
  /** From the beginning of the server's last fsync or durable write to its death. */
  readonly sinceSyncMs: number
}

export const sessionsMin = 3
export const unansweredMin = 200

export interface RoundOptions {
  /** Done before the server is started again. */
  readonly whileDead?: () => Promise<void> | undefined
  /** When a first start of it is to die. */
  readonly dyingStart?: DiskMoment | null
}

/** Kills the server under the writers, looks at what it left, and starts it again. */
export class KillRounds implements WireObserver {
  readonly writers: ExactlyOnceWriter[] = []
  /** When the last new life of the server began. */
  restartedMs = 0
  readonly #server: ServerProcess
  readonly #directory: string
  readonly #segmentBytes: number
  readonly #witness: LogWitness
  readonly #watcher: FSWatcher
  /** Temporary files that are being written. */
  readonly #temporaries = new Set<string>()
  #hasStarted = false
  #aim: Aim | null = null
  #repliesBefore = 0
  #patienceEnds = Number.POSITIVE_INFINITY
  /** The server was killed, and nobody was told yet. */
  #dead: Promise<void> | null = null
  /** `unanswered` is null when the server has killed itself, and nobody knows when. */
  #onKilled: (dead: Promise<void>, unanswered: readonly number[] | null) => void = () => undefined

  constructor(
    server: ServerProcess,
    witness: LogWitness,
    place: { readonly directory: string; readonly segmentBytes: number },
  ) {
    this.#server = server
    this.#witness = witness
    this.#directory = place.directory
    this.#segmentBytes = place.segmentBytes
    this.#watcher = watch(this.#directory, (event, name) => {
      if (event === 'rename' && name !== null) this.#appearedOrGone(name)
    })
  }

  /** All writers are there: they write from now on. */
  start(): void {
    this.#hasStarted = true
    this.#goOn()
  }

  /** While a client has no connection the others are held back, or they would do it all. */
  inFlightMax(): number {
    return this.#areAttached ? inFlightMax : 0
  }

  sent(): void {
    const aim = this.#aim
    if (aim?.aim === 'disk' && this.#isBusy(null)) {
      this.#aim = null
      this.#patienceEnds = this.#replies() + patienceReplies
      this.#onKilled(this.#server.killAt(aim.moment), null)
    }
    if (aim?.aim !== 'life' || !this.#isBusy(null)) return
    this.#aim = null
    const lives = this.writers.map(({ spy }) => spy.lifeMs)
    const lifeMs = lives.reduce((sum, life) => sum + life, 0) / lives.length
    setTimeout(() => {
      this.#dead = this.#server.kill()
      this.#report()
    }, lifeMs * aim.share)
  }

  /**
   * A kill comes before anybody has looked at the message that it follows: an answer that was
   * given too early must not have time to become true.
   */
  arriving(spy: WireSpy): void {
    // The moment does not come.
    if (this.#replies() > this.#patienceEnds) {
      this.#patienceEnds = Number.POSITIVE_INFINITY
      void this.#server.kill()
    }
    if (this.#aim === null) return
    const { aim } = this.#aim
    if (aim === 'life' || aim === 'disk') return
    const isDue =
      this.#aim.aim === 'replies'
        ? this.#replies() - this.#repliesBefore >= this.#aim.count
        : this.#isWriting(this.#aim.aim)
    if (isDue) this.#killIfBusy(spy)
  }

  arrived(): void {
    this.#report()
    this.#goOn()
  }

  async round(aim: Aim, { whileDead, dyingStart = null }: RoundOptions = {}): Promise<Killed> {
    this.#repliesBefore = this.#replies()
    const [dead, unanswered] = await new Promise<
      readonly [Promise<void>, readonly number[] | null]
    >((resolve) => {
      this.#onKilled = (...killed) => resolve(killed)
      this.#aim = aim
    })
    await dead
    this.#patienceEnds = Number.POSITIVE_INFINITY
    const { sinceSyncMs, during: making } = this.#server.lastMoments()
    const during = new Set([...this.#during(), ...making])
    const readCopy = this.#witness.copy()
    if (dyingStart !== null) await this.#server.startAndDie(dyingStart)
    const lost = await Promise.all(this.writers.map(({ spy }) => spy.disconnected()))
    this.#temporaries.clear()
    await whileDead?.()
    this.restartedMs = performance.now()
    const [{ isNewestEmpty }] = await Promise.all([readCopy(), this.#server.start()])
    if (isNewestEmpty) during.add('segment')
    const counts = this.#count(lost)
    return {
      aim: aim.aim,
      unanswered: unanswered ?? lost.map(({ length }) => length),
      ...counts,
      during: [...during],
      sinceSyncMs,
    }
  }

  close(): void {
    this.#watcher.close()
  }

  #appearedOrGone(name: string): void {
    if (existsSync(join(this.#directory, name))) this.#temporaries.add(name)
    else this.#temporaries.delete(name)
    if (name.startsWith('log-')) {
      this.#witness.keep()
      // It is over too soon to wait for a message.
      if (this.#aim?.aim === 'segment') this.#killIfBusy()
      this.#report()
    }
  }

  #isWriting(kind: Aim['aim']): boolean {
    return [...this.#temporaries].some((name) =>
      kind === 'snapshot'
        ? /^snapshot-.*\.tmp$/.test(name)
        : kind === 'segment' && name === nextSegment,
    )
  }

  #goOn(): void {
    if (this.#areAttached) for (const writer of this.writers) writer.write()
  }

  get #areAttached(): boolean {
    return this.#hasStarted && this.writers.every(({ spy }) => spy.isAttached)
  }

  /**
   * Only while every client is attached and most of them have much in flight.
   * @param answered what it has in flight is not counted on: some of it is being answered
   */
  #killIfBusy(answered: WireSpy | null = null): void {
    if (!this.#isBusy(answered)) return
    this.#aim = null
    this.#dead = this.#server.kill()
  }

  #isBusy(answered: WireSpy | null): boolean {
    const busy = this.writers.filter(
      ({ spy }) => spy !== answered && spy.pending.size >= unansweredMin,
    )
    return busy.length >= sessionsMin && this.#areAttached
  }

  #report(): void {
    if (this.#dead === null) return
    const unanswered = this.writers.map(({ spy }) => spy.pending.size)
    this.#onKilled(this.#dead, unanswered)
    this.#dead = null
  }

  #replies(): number {
    return this.writers.reduce((sum, { spy }) => sum + spy.replies, 0)
  }

  /** Which of the writes without an answer the dead server had logged. */
  #count(lost: readonly (readonly number[])[]): { logged: number; unlogged: number } {
    const all = lost.reduce((sum, xids) => sum + xids.length, 0)
    const logged = lost.reduce((sum, xids, i) => {
      const writes = this.#witness.writesOf(this.writers[i]?.client.sessionId ?? 0)
      return sum + xids.filter((xid) => writes.has(xid)).length
    }, 0)
    return { logged, unlogged: all - logged }
  }

  /** A snapshot that is not whole, or zeros that are not all written. */
  #during(): Set<'snapshot' | 'segment'> {
    const during = new Set<'snapshot' | 'segment'>()
    for (const name of readdirSync(this.#directory)) {
      if (/^snapshot-.*\.tmp$/.test(name)) during.add('snapshot')
      const isNext = name === nextSegment
      const size = isNext ? statSync(join(this.#directory, name)).size : 0
      if (isNext && size < this.#segmentBytes) during.add('segment')
    }
    return during
  }
}

const inFlightMax = 500
const patienceReplies = 8_000
const nextSegment = 'log-next.tmp'
