import { epochZero, type ServerId, type SessionId, type Zxid } from '@conclave/protocol'
import type { HardState } from '@conclave/protocol/peer'
import type { Input, LinkId } from '#server/core/input.js'
import { Recovery, type Recovered } from '#server/core/recovery.js'
import { Replica } from '#server/core/replica.js'
import { openDataDirectory } from '#server/runtime/storage/data-directory.js'
import { writeHardState } from '#server/runtime/storage/hard-state-file.js'
import { openStorage, type Storage } from '#server/runtime/storage/index.js'
import { txnPacker } from '#server/runtime/txn-codec.js'
import type { Choose } from '../support/virtual-disk.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'
import type { SimClock } from './sim-clock.js'
import { SimDisk } from './sim-disk.js'
import type { ServerOptions, Surroundings } from './surroundings.js'

/** One server of the ensemble: a disk and clocks that outlive the processes on them. */
export class SimServer {
  readonly id: ServerId
  readonly clock: SimClock
  readonly #options: ServerOptions
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #around: Surroundings
  readonly disk: SimDisk
  #process: Process | null = null
  #starts = 0
  #waiting: (() => void)[] | null = null
  /** A process that is ending; another one may be due meanwhile. */
  #closing: { readonly process: Process; isStartDue: boolean } | null = null
  #isRetired = false
  /** What a rejoining server finds on its new disk. */
  #rejoining: HardState | null = null

  constructor(
    options: ServerOptions,
    clock: SimClock,
    schedule: Schedule,
    random: Random,
    around: Surroundings,
  ) {
    this.id = options.serverId
    this.clock = clock
    this.#options = options
    this.#schedule = schedule
    this.#random = random
    this.#around = around
    this.disk = new SimDisk(options.diskMsMean, schedule, random, (task) => {
      this.enter(task)
      around.promised()
    })
  }

  get isUp(): boolean {
    return this.#process !== null || this.#closing !== null
  }

  /** Of the running process; null before it has recovered. */
  get replica(): Replica | null {
    return this.#process?.replica ?? null
  }

  /** What it has applied; null before it has recovered. */
  get appliedZxid(): Zxid | null {
    const process = this.#process
    return process?.replica ? (process.state?.lastApplied.zxid ?? null) : null
  }

  get starts(): number {
    return this.#starts
  }

  get isPaused(): boolean {
    return this.#waiting !== null
  }

  start(): void {
    if (this.#closing !== null) this.#closing.isStartDue = true
    if (this.isUp || this.#isRetired) return
    this.#starts += 1
    const nothing = { replica: null, storage: null, state: null }
    const process: Process = { number: this.#starts, ...nothing, isDue: false }
    this.#process = process
    this.#around.promised()
    this.#recover(process).catch((error: unknown) => this.#end(process, error as Error))
  }

  /** SIGTERM: it ends when it owes nothing any more. */
  stop(): void {
    this.input({ input: 'shutdown' })
  }

  /** kill -9: what was written stays. */
  kill(): void {
    this.#forget()
    this.disk.processCrash()
  }

  /** Of what was not synced, `choose` keeps any part. */
  powerLoss(choose: Choose): void {
    this.#forget()
    this.disk.powerLoss(choose)
  }

  wipe(): void {
    this.#forget()
    this.disk.wipe()
  }

  /** What `conclave rejoin` does: the old data is set aside, and a new start begins without it. */
  rejoin(ensembleId: string | null): void {
    const { serverId, voters } = this.#options
    this.wipe()
    this.#rejoining = {
      acceptedEpoch: epochZero,
      acceptedFrom: 0 as ServerId,
      currentEpoch: epochZero,
      ensembleId,
      serverId,
      voters,
      rejoining: true,
      generation: 0,
    }
  }

  /** Never starts again. */
  retire(): void {
    this.kill()
    this.#isRetired = true
  }

  get isRetired(): boolean {
    return this.#isRetired
  }

  /** SIGSTOP: nothing moves until {@link goOn}; what comes in waits. */
  pause(): void {
    this.#waiting ??= []
  }

  goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const task of waiting) this.enter(task)
    this.#around.promised()
  }

  /** A bit of its memory flips: the state is no longer what the log says. */
  corrupt(): void {
    const state = this.#process?.state
    if (state === undefined || state === null) throw new Error('nothing runs here')
    const { zxid } = state.lastApplied
    const moment = { zxid, timeMs: state.timeMs }
    const stat = { version: 1, czxid: 0 as Zxid, ephemeralOwner: 0 as SessionId }
    const root = { path: '/', acl: null, ...stat }
    state.tree.apply({ change: 'setData', data: Uint8Array.of(1), ...root }, moment)
    this.#around.corrupted(this)
  }

  /** Runs the task in this server's event loop: later, if that stands still. */
  enter(task: () => void): void {
    if (this.#waiting === null) task()
    else this.#waiting.push(task)
  }

  input(input: Input): void {
    const process = this.#process
    this.enter(() => this.#input(process, input))
  }

  peerOpened(from: ServerId, link: LinkId): void {
    this.input({ input: 'peerOpened', from, link })
  }

  async #recover(process: Process): Promise<void> {
    const { serverId, voters, observers, snapshotTxns, historyBytesMax } = this.#options
    const { segmentBytes, snapshotsKept } = this.#options
    const guarded = (task: () => void) => () => {
      if (this.#process === process || this.#closing?.process === process) this.enter(task)
      this.#around.promised()
    }
    if (this.#rejoining !== null) await this.#plant(this.#rejoining)
    const opened = await openStorage({
      directory: dataDirectory,
      files: this.disk.files,
      timers: {
        soon: (task) => this.#schedule.after(0, guarded(task)),
        after: (ms, task) => this.#schedule.after(this.clock.worldMs(ms), guarded(task)),
        nowMs: () => this.clock.nowMs,
      },
      random: () => this.#random.bits(),
      segmentBytes,
      snapshotsKept,
      log: () => undefined,
      onDiskSpace: (ok) => this.#input(process, { input: 'diskSpace', ok }),
      onFatal: (error) => this.#end(process, error),
    })
    const config = {
      serverId,
      voters,
      observers,
      bootstrap: false,
      newEnsembleId: `ensemble-${serverId}-${process.number}`,
      historyBytesMax,
      packer: txnPacker,
      snapshotTxns,
      sessionTimeoutMsMin: 1_000,
      sessionTimeoutMsMax: 60_000,
    }
    const recovery = new Recovery(config)
    const recovered = recovery.finish(await opened.recover(recovery))
    if (this.#process !== process) return
    this.disk.isBad = false
    process.storage = opened.storage
    process.state = recovered.state
    process.replica = new Replica(config, recovered)
    this.#around.started(this, recovered)
    this.#tick(process)
  }

  async #plant(hardState: HardState): Promise<void> {
    await openDataDirectory(this.disk.files, dataDirectory)
    await writeHardState(this.disk.files, dataDirectory, hardState)
    if (this.#rejoining === hardState) this.#rejoining = null
  }

  #tick(process: Process): void {
    if (this.#process !== process) return
    this.enter(() => {
      const { nowMs, wallMs } = this.clock
      this.#input(process, { input: 'tick', nowMs, wallMs })
    })
    this.#schedule.after(this.clock.worldMs(tickMs), () => this.#tick(process))
  }

  #input(process: Process | null, input: Input): void {
    if (process === null || this.#process !== process || process.replica === null) return
    try {
      process.replica.step(input)
    } catch (error) {
      return this.#end(process, error as Error)
    }
    this.#around.moved(this)
    this.#drainLater(process)
  }

  #drainLater(process: Process): void {
    if (process.isDue) return
    process.isDue = true
    this.#schedule.after(this.#random.between(0, turnMsMax), () =>
      this.enter(() => this.#drain(process)),
    )
  }

  #drain(process: Process): void {
    process.isDue = false
    const { replica } = process
    if (this.#process !== process || replica === null) return
    try {
      const effects = replica.drain()
      this.#around.moved(this)
      for (const effect of effects) {
        if (this.#process === process) this.#carryOut(process, effect)
      }
    } catch (error) {
      this.#end(process, error as Error)
    }
  }

  #carryOut(process: Process, effect: ReturnType<Replica['drain']>[number]): void {
    const storage = process.storage as Storage
    this.#around.promised()
    switch (effect.effect) {
      case 'persist': {
        const { ticket } = effect
        this.#around.persisting(this, effect)
        return storage.persist(effect, () => {
          this.#around.persisted(this, ticket)
          this.#input(process, { input: 'persisted', ticket })
        })
      }
      case 'saveSnapshot':
        return storage.saveSnapshot(
          effect.view,
          (zxid) => this.#input(process, { input: 'snapshotEnded', zxid }),
          () => this.#input(process, { input: 'snapshotEnded', zxid: null }),
        )
      case 'readLog': {
        const { ticket } = effect
        return storage.readLog(effect, (txns) =>
          this.#input(process, { input: 'logPiece', ticket, txns }),
        )
      }
      case 'readSnapshot': {
        const { ticket } = effect
        return storage.readSnapshot(effect, (piece) =>
          this.#input(process, { input: 'snapshotPiece', ticket, piece }),
        )
      }
      case 'storeSnapshot': {
        const { ticket } = effect
        return storage.storeSnapshot(effect, (ok) =>
          this.#input(process, { input: 'snapshotStored', ticket, ok }),
        )
      }
      case 'retired':
        return this.#retired(process)
      case 'restart':
        return this.#restart(process)
      case 'sendPeer':
        return this.#around.sendPeer(this, effect)
      case 'sendClient':
        return this.#around.sendClient(this, effect)
      case 'closeClient':
        return this.#around.closeClient(this, effect.connection)
      case 'pauseClient':
      case 'resumeClient':
        return this.#around.pauseClient(this, effect.connection, effect.effect === 'pauseClient')
      case 'hash':
        return this.#input(process, { input: 'hashed', ticket: effect.ticket, hash: null })
      case 'again':
        return this.#drainLater(process)
      case 'trace':
        return this.#around.traced(this, effect.trace)
      default:
        throw new Error(`the simulator does not carry out ${JSON.stringify(effect)}`)
    }
  }

  #end(process: Process, error: Error): void {
    if (this.#process !== process) return
    this.kill()
    this.#around.ended(this, error)
  }

  /** The end that was asked for. */
  #retired(process: Process): void {
    this.#close(process)
    this.#around.stopped(this)
  }

  /** As a start, without the end of the process. */
  #restart(process: Process): void {
    this.#close(process)
    this.#around.restarting(this)
    this.start()
  }

  #close(process: Process): void {
    this.#forget()
    const closing = { process, isStartDue: false }
    this.#closing = closing
    void process.storage?.close().then(() => {
      if (this.#closing !== closing) return
      this.#closing = null
      if (closing.isStartDue) this.start()
    })
  }

  #forget(): void {
    this.#closing = null
    this.#process = null
    this.#waiting = null
  }
}

interface Process {
  readonly number: number
  replica: Replica | null
  storage: Storage | null
  state: Recovered['state'] | null
  isDue: boolean
}

/** Where a simulated server keeps its data. */
export const dataDirectory = '/data'

const tickMs = 50
/** How long a turn of an event loop takes at most. */
const turnMsMax = 0.5
