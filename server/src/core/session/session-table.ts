import { limits, type SessionId, type Xid, type Zxid } from '@conclave/protocol'
import type { SnapshotEntryOf } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import { type Digest, Fingerprint } from '../fingerprint.js'
import { bytesKey } from '../byte-equality.js'
import { FrozenTable } from '../frozen-table.js'
import { ownedBytes } from '../owned-bytes.js'
import { Results, type WriteResult } from './results.js'

/** A client's session as every server knows it. */
export interface Session {
  readonly sessionId: SessionId
  readonly sessionTimeoutMs: number
  readonly nonceHash: Uint8Array
  /** The highest xid that was logged. */
  readonly lastXid: Xid
  readonly ackedXid: Xid
  readonly results: Results
}

/** A session that has ended, remembered for clients that come back to ask what became of it. */
export interface Tombstone {
  readonly sessionId: SessionId
  readonly nonceHash: Uint8Array
  readonly expired: boolean
  readonly closedZxid: Zxid
  readonly closedTimeMs: number
  readonly lastXid: Xid
  readonly ackedXid: Xid
  readonly results: Results
}

type SessionEntry = SnapshotEntryOf<'session'> | SnapshotEntryOf<'tombstone'>

/**
 * Sessions, their results and their tombstones. Part of the replicated state: changed by txns
 * alone, bounded by rules that every server applies alike.
 */
export class SessionTable {
  readonly #sessions = new Map<SessionId, Entry<Session>>()
  /** In the order of their ends. */
  readonly #tombstones = new Map<SessionId, Entry<Tombstone>>()
  readonly #byNonce = new Map<string, SessionId>()
  readonly #digest: Digest
  #frozen: FrozenTable<Entry<Session | Tombstone>, SessionEntry> | null = null
  #liveResultBytes = 0
  #tombstoneResultBytes = 0

  constructor(digest: Digest) {
    this.#digest = digest
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Of the results of all sessions that are open. */
  get liveResultBytes(): number {
    return this.#liveResultBytes
  }

  get(sessionId: SessionId): Session | undefined {
    return this.#sessions.get(sessionId)?.state
  }

  tombstone(sessionId: SessionId): Tombstone | undefined {
    return this.#tombstones.get(sessionId)?.state
  }

  /** The open session created with this nonce, for a connect that is repeated. */
  withNonce(nonceHash: Uint8Array): Session | undefined {
    const sessionId = this.#byNonce.get(bytesKey(nonceHash))
    return sessionId === undefined ? undefined : this.get(sessionId)
  }

  *values(): Generator<Session> {
    for (const entry of this.#sessions.values()) yield entry.state
  }

  open(sessionId: SessionId, sessionTimeoutMs: number, nonceHash: Uint8Array): void {
    this.#insert({
      sessionId,
      sessionTimeoutMs,
      nonceHash: ownedBytes(nonceHash),
      lastXid: 0 as Xid,
      ackedXid: 0 as Xid,
      results: new Results(),
    })
  }

  /** A logged write of the session: its result is kept, what the client has seen is forgotten. */
  record(sessionId: SessionId, ackedXid: Xid, result: WriteResult): void {
    const entry = this.#sessions.get(sessionId)
    assert(entry !== undefined, `the session ${sessionId} of a logged write is open`)
    this.#acknowledge(entry, ackedXid)
    entry.state.results.add(result)
    this.#liveResultBytes += result.bytes
    entry.state.lastXid = result.xid
    this.#count(entry)
  }

  /** The client of an open session has its results up to `ackedXid`; another is passed over. */
  acknowledge(sessionId: SessionId, ackedXid: Xid): void {
    const entry = this.#sessions.get(sessionId)
    if (entry === undefined) return
    this.#acknowledge(entry, ackedXid)
    this.#count(entry)
  }

  /** Ends a session, leaving its tombstone. */
  close(sessionId: SessionId, end: { expired: boolean; zxid: Zxid; timeMs: number }): Tombstone {
    const entry = this.#sessions.get(sessionId)
    assert(entry !== undefined, `the session ${sessionId} that is closed is open`)
    this.#frozen?.touch(entry)
    this.#digest.remove(entry.fingerprint)
    const { nonceHash, lastXid, ackedXid, results } = entry.state
    this.#liveResultBytes -= results.bytes
    this.#sessions.delete(sessionId)
    this.#byNonce.delete(bytesKey(nonceHash))
    const tombstone = {
      sessionId,
      nonceHash,
      expired: end.expired,
      closedZxid: end.zxid,
      closedTimeMs: end.timeMs,
      lastXid,
      ackedXid,
      results,
    }
    this.#bury(tombstone)
    return tombstone
  }

  /** Forgets tombstones over their number, age or bytes of results; the oldest first. */
  prune(timeMs: number): void {
    for (const entry of this.#tombstones.values()) {
      const { sessionId, closedTimeMs, results } = entry.state
      const kept =
        this.#tombstones.size <= limits.tombstonesMax &&
        timeMs - closedTimeMs <= limits.tombstoneAgeMsMax &&
        this.#tombstoneResultBytes <= limits.tombstoneResultBytesMax
      if (kept) return
      this.#frozen?.touch(entry)
      this.#tombstones.delete(sessionId)
      this.#digest.remove(entry.fingerprint)
      this.#tombstoneResultBytes -= results.bytes
    }
  }

  load(entry: SessionEntry): void {
    const shared = {
      sessionId: entry.sessionId,
      nonceHash: ownedBytes(entry.nonceHash),
      lastXid: entry.lastXid,
      ackedXid: entry.ackedXid,
      results: Results.fromEntries(entry.results),
    }
    if (entry.entry === 'session') {
      this.#insert({ ...shared, sessionTimeoutMs: entry.sessionTimeoutMs })
    } else {
      const { expired, closedZxid, closedTimeMs } = entry
      this.#bury({ ...shared, expired, closedZxid, closedTimeMs })
    }
  }

  /** Snapshots give entries in any order; tombstones are kept in the order of their ends. */
  loaded(): void {
    const tombstones = [...this.#tombstones.values()]
    tombstones.sort((a, b) => a.state.closedZxid - b.state.closedZxid)
    this.#tombstones.clear()
    for (const entry of tombstones) this.#tombstones.set(entry.state.sessionId, entry)
  }

  freeze(id: number, zxid: Zxid): FrozenTable<Entry<Session | Tombstone>, SessionEntry> {
    assert(this.#frozen === null, 'one snapshot is taken at a time')
    this.#frozen = new FrozenTable(id, zxid, {
      values: () => this.#entries(),
      bornAt: (entry) => entry.bornAt,
      snapshotMark: (entry) => entry.snapshotMark,
      setSnapshotMark: (entry, mark) => (entry.snapshotMark = mark),
      entry: sessionEntry,
    })
    return this.#frozen
  }

  thaw(): void {
    this.#frozen = null
  }

  *#entries(): Generator<Entry<Session | Tombstone>> {
    yield* this.#sessions.values()
    yield* this.#tombstones.values()
  }

  #insert(session: Session): void {
    const entry = new Entry<Session>(session, session.sessionId)
    this.#liveResultBytes += session.results.bytes
    this.#sessions.set(session.sessionId, entry)
    this.#byNonce.set(bytesKey(session.nonceHash), session.sessionId)
    this.#digest.add(entry.fingerprint)
  }

  #bury(tombstone: Tombstone): void {
    const entry = new Entry<Tombstone>(tombstone, tombstone.closedZxid)
    this.#tombstoneResultBytes += tombstone.results.bytes
    this.#tombstones.set(tombstone.sessionId, entry)
    this.#digest.add(entry.fingerprint)
  }

  #acknowledge(entry: Entry<Session>, ackedXid: Xid): void {
    this.#frozen?.touch(entry)
    const { results } = entry.state
    const acked = Math.max(entry.state.ackedXid, ackedXid) as Xid
    this.#liveResultBytes -= results.bytes
    results.prune(acked)
    this.#liveResultBytes += results.bytes
    entry.state.ackedXid = acked
  }

  #count(entry: Entry<Session>): void {
    this.#digest.remove(entry.fingerprint)
    entry.fingerprint = fingerprintOf(entry.state)
    this.#digest.add(entry.fingerprint)
  }
}

class Entry<State extends Session | Tombstone> {
  readonly state: { -readonly [K in keyof State]: State[K] }
  readonly bornAt: Zxid
  snapshotMark = 0
  fingerprint: Fingerprint

  constructor(state: State, bornAt: number) {
    this.state = state
    this.bornAt = bornAt as Zxid
    this.fingerprint = fingerprintOf(state)
  }
}

const sessionEntry = ({ state }: Entry<Session | Tombstone>): SessionEntry => {
  const results = state.results.toEntries()
  return 'sessionTimeoutMs' in state
    ? { entry: 'session', ...state, results }
    : { entry: 'tombstone', ...state, results }
}

/** The results follow from the xids: what they say is decided by txns that every server has. */
const fingerprintOf = (state: Session | Tombstone): Fingerprint =>
  new Fingerprint('sessionTimeoutMs' in state ? 2 : 3)
    .number(state.sessionId)
    .bytes(state.nonceHash)
    .number(state.lastXid)
    .number(state.ackedXid)
    .number(state.results.size)
    .number(state.results.bytes)
    .number('sessionTimeoutMs' in state ? state.sessionTimeoutMs : state.closedZxid)
    .done()
