import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { limits, type ServerId } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { ReplicatedState } from '#server/core/pipeline/replicated-state.js'
import { Recovery } from '#server/core/recovery.js'
import { inspectLog, nodeFiles, openStorage } from '#server/runtime/storage/index.js'
import { txnPacker } from '#server/runtime/txn-codec.js'

/** Knows all that a log has ever held: of a segment that is purged it has kept a hard link. */
export class LogWitness {
  /** By zxid. */
  readonly txns = new Map<number, Txn>()
  readonly faults: string[] = []
  readonly #directory: string
  readonly #links: string
  readonly #copies: string
  #copied = 0
  #newest = ''

  /** @param place an empty directory on the file system of the data directory */
  constructor(directory: string, place: string) {
    this.#directory = directory
    this.#links = join(place, 'links')
    this.#copies = join(place, 'copies')
    for (const folder of [place, this.#links, this.#copies]) mkdirSync(folder)
  }

  /** To be called whenever there is a new segment. */
  keep(): void {
    for (const name of segmentsIn(this.#directory)) {
      const link = join(this.#links, name)
      if (!existsSync(link)) linkSync(join(this.#directory, name), link)
    }
  }

  /**
   * To be called when the server is dead: takes what it has written as it is now.
   * @returns reads it, also when the server writes again
   */
  copy(): () => Promise<{ readonly isNewestEmpty: boolean }> {
    this.keep()
    const folder = join(this.#copies, `${++this.#copied}`)
    mkdirSync(folder)
    const written = segmentsIn(this.#directory).filter((name) => name >= this.#newest)
    for (const name of written) copyFileSync(join(this.#directory, name), join(folder, name))
    this.#newest = written.at(-1) ?? this.#newest
    return async () => {
      const read = await this.#read(folder)
      rmSync(folder, { recursive: true })
      return read
    }
  }

  /** Reads all of the log, from its first segment on, and compares it with what was read before. */
  async readAll(): Promise<void> {
    this.keep()
    await this.#read(this.#links)
  }

  /** The writes of one session by their xids, each with all txns that it is found in. */
  writesOf(sessionId: number): ReadonlyMap<number, readonly Txn[]> {
    const writes = new Map<number, Txn[]>()
    for (const txn of this.txns.values()) {
      if (txn.sessionId !== sessionId) continue
      const found = writes.get(txn.xid)
      if (found === undefined) writes.set(txn.xid, [txn])
      else found.push(txn)
    }
    return writes
  }

  replay(): ReplicatedState {
    return replayed(this.txns)
  }

  async #read(folder: string): Promise<{ readonly isNewestEmpty: boolean }> {
    let isNewestEmpty = false
    for await (const item of inspectLog(nodeFiles, folder)) {
      if (item.item === 'segment') isNewestEmpty = true
      if (item.item === 'batch') isNewestEmpty = false
      if (item.item === 'damage' && !item.mayBeTorn) {
        this.faults.push(`${item.file} at ${item.offset}: ${item.reason}`)
      }
      if (item.item === 'record') this.#note(item.txn)
    }
    return { isNewestEmpty }
  }

  #note(txn: Txn): void {
    const known = this.txns.get(txn.zxid)
    if (known === undefined) this.txns.set(txn.zxid, txn)
    else if (!isDeepStrictEqual(known, txn)) this.faults.push(`txn ${txn.zxid} has changed`)
  }
}

/** The state that all of a log gives, txn by txn from the first. */
export const replayed = (txns: ReadonlyMap<number, Txn>): ReplicatedState => {
  const state = new ReplicatedState()
  state.plant()
  for (let zxid = 1; zxid <= txns.size; zxid++) {
    const txn = txns.get(zxid)
    if (txn === undefined) throw new Error(`the log has ${txns.size} txns, but no ${zxid}`)
    state.apply(txn)
  }
  return state
}

/** The state that a server would start from: the newest snapshot and the log behind it. */
export const recoverState = async (directory: string): Promise<ReplicatedState> => {
  const opened = await openStorage({
    directory,
    log: () => undefined,
    onDiskSpace: () => undefined,
    onFatal: (error) => {
      throw error
    },
  })
  const serverId = 1 as ServerId
  const recovery = new Recovery({
    serverId,
    voters: [serverId],
    observers: [],
    bootstrap: false,
    newEnsembleId: '',
    historyBytesMax: limits.historyBytesDefault,
    packer: txnPacker,
    snapshotTxns: 1,
    sessionTimeoutMsMin: 1,
    sessionTimeoutMsMax: 1,
  })
  try {
    const recovered = await opened.recover(recovery)
    // What lies behind the commit mark is committed by the next start.
    return recovery.finish({ ...recovered, commit: recovered.last.zxid }).state
  } finally {
    await opened.storage.close()
  }
}

const segmentsIn = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((name) => /^log-\d+$/.test(name))
    .sort()
