import type { ServerId } from '@conclave/protocol'
import type { Persist, SendClient, SendPeer, Trace } from '#server/core/effect.js'
import type { ConnectionId, Input, LinkId, Ticket } from '#server/core/input.js'
import { Recovery, type Recovered } from '#server/core/recovery.js'
import { Replica } from '#server/core/replica.js'
import { openStorage, type Storage } from '#server/runtime/storage/index.js'
import { VirtualDisk, type Choose } from '../support/virtual-disk.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'
import type { SimClock } from './sim-clock.js'

export interface ServerOptions {
  readonly serverId: ServerId
  readonly voters: readonly ServerId[]
  readonly snapshotTxns: number
  readonly historyBytesMax: number
  readonly segmentBytes: number
  readonly diskMsMean: number
}

/** Whoever watches and carries: the ensemble around one server. */
export interface Surroundings {
  started(server: SimServer, recovered: Recovered): void
  persisting(server: SimServer, effect: Persist): void
  persisted(server: SimServer, ticket: Ticket): void
  /** Some input was stepped, or the effects were carried out: the state may have moved. */
  moved(server: SimServer): void
  traced(server: SimServer, trace: Trace): void
  sendPeer(server: SimServer, effect: SendPeer): void
  sendClient(server: SimServer, effect: SendClient): void
  closeClient(server: SimServer, connection: ConnectionId): void
  pauseClient(server: SimServer, connection: ConnectionId, paused: boolean): void
  /** The process has ended by itself. */
  ended(server: SimServer, error: Error): void
  /** Promises may have moved: they must settle before the next event. */
  promised(): void
}

/** One server of the ensemble: a disk and clocks that outlive the processes on them. */
export class SimServer {
  readonly id: ServerId
  readonly clock: SimClock
  readonly #options: ServerOptions
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #around: Surroundings
  #disk: VirtualDisk
  #process: Process | null = null
  #starts = 0
  #waiting: (() => void)[] | null = null
  #diskFactor = 1

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
    this.#disk = this.#freshDisk()
  }

  get isUp(): boolean {
    return this.#process !== null
  }

  /** Of the running process; null before it has recovered. */
  get replica(): Replica | null {
    return this.#process?.replica ?? null
  }

  get disk(): VirtualDisk {
    return this.#disk
  }

  get starts(): number {
    return this.#starts
  }

  get isPaused(): boolean {
    return this.#waiting !== null
  }

  start(): void {
    if (this.#process !== null) return
    this.#starts += 1
    const process: Process = { number: this.#starts, replica: null, storage: null, isDue: false }
    this.#process = process
    this.#around.promised()
    this.#recover(process).catch((error: unknown) => this.#end(process, error as Error))
  }

  /** kill -9: what was written stays. */
  kill(): void {
    this.#forget()
    this.#disk = this.#disk.processCrash()
  }

  /** Of what was not synced, `choose` keeps any part. */
  powerLoss(choose: Choose): void {
    this.#forget()
    this.#disk = this.#disk.powerLoss(choose)
  }

  wipe(): void {
    this.#forget()
    this.#disk.processCrash()
    this.#disk = this.#freshDisk()
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

  /** 1 is a healthy disk. */
  slowDisk(factor: number): void {
    this.#diskFactor = factor
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
    const { serverId, voters, snapshotTxns, historyBytesMax, segmentBytes } = this.#options
    const guarded = (task: () => void) => () => {
      if (this.#process === process) this.enter(task)
      this.#around.promised()
    }
    const opened = await openStorage({
      directory: '/data',
      files: this.#disk,
      timers: {
        soon: (task) => this.#schedule.after(0, guarded(task)),
        after: (ms, task) => this.#schedule.after(this.clock.worldMs(ms), guarded(task)),
        nowMs: () => this.clock.nowMs,
      },
      random: () => this.#random.bits(),
      segmentBytes,
      log: () => undefined,
      onDiskSpace: (ok) => this.#input(process, { input: 'diskSpace', ok }),
      onFatal: (error) => this.#end(process, error),
    })
    const config = {
      serverId,
      voters,
      newEnsembleId: `ensemble-${serverId}-${process.number}`,
      historyBytesMax,
      snapshotTxns,
      sessionTimeoutMsMin: 1_000,
      sessionTimeoutMsMax: 60_000,
    }
    const recovery = new Recovery(config)
    const recovered = recovery.finish(await opened.recover(recovery))
    if (this.#process !== process) return
    process.storage = opened.storage
    process.replica = new Replica(config, recovered)
    this.#around.started(this, recovered)
    this.#tick(process)
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
      for (const effect of effects) this.#carryOut(process, effect)
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

  #forget(): void {
    this.#process = null
    this.#waiting = null
  }

  #freshDisk(): VirtualDisk {
    return new VirtualDisk((task) => {
      const delayMs = this.#random.exponential(this.#options.diskMsMean * this.#diskFactor)
      this.#schedule.after(delayMs, () => {
        this.enter(task)
        this.#around.promised()
      })
    })
  }
}

interface Process {
  readonly number: number
  replica: Replica | null
  storage: Storage | null
  isDue: boolean
}

const tickMs = 50
/** How long a turn of an event loop takes at most. */
const turnMsMax = 0.5
