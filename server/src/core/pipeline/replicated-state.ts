import {
  encodeResult,
  type LogPosition,
  positionZero,
  type SessionId,
  type Stat,
  type Zxid,
} from '@conclave/protocol'
import type {
  Change,
  EpochStart,
  SnapshotEntry,
  SnapshotHeader,
  Txn,
  TxnBody,
  TxnBodyOf,
} from '@conclave/protocol/peer'
import { digestAlgorithm } from '@conclave/protocol'
import { assert, assertNever } from '../assert.js'
import type { SnapshotView } from '../effect.js'
import { Digest } from '../fingerprint.js'
import type { WriteResult } from '../session/results.js'
import { SessionTable, type Tombstone } from '../session/session-table.js'
import { DataTree } from '../tree/data-tree.js'
import { statOf } from '../tree/znode.js'

/** A txn that has become part of the state. */
export interface Applied {
  readonly txn: Txn
  /** The answer to the session that asked; null for the system's own txns. */
  readonly result: WriteResult | null
  /** The session that the txn ended. */
  readonly ended: Tombstone | null
}

/** All that every server of the ensemble has alike: it changes by txns, one after the other. */
export class ReplicatedState {
  readonly #digest = new Digest()
  readonly tree = new DataTree(this.#digest)
  readonly sessions = new SessionTable(this.#digest)
  #ensembleId: string | null = null
  #lastApplied: LogPosition = positionZero
  #timeMs = 0
  #snapshots = 0

  get ensembleId(): string | null {
    return this.#ensembleId
  }

  get lastApplied(): LogPosition {
    return this.#lastApplied
  }

  /** The time of the last txn. */
  get timeMs(): number {
    return this.#timeMs
  }

  get digest(): string {
    return this.#digest.toString()
  }

  apply(txn: Txn): Applied {
    assert(txn.zxid === this.#lastApplied.zxid + 1, `the txn ${txn.zxid} is applied in its turn`)
    assert(txn.timeMs >= this.#timeMs, `the time of the txn ${txn.zxid} does not go back`)
    this.#lastApplied = { epoch: txn.epoch, zxid: txn.zxid }
    this.#timeMs = txn.timeMs
    const { result, closes } = this.#applyBody(txn)
    if (result !== null) this.sessions.record(txn.sessionId, txn.ackedXid, result)
    const { zxid, timeMs } = txn
    const ended =
      closes === null
        ? null
        : this.sessions.close(closes.closedSession, { expired: closes.expired, zxid, timeMs })
    this.sessions.prune(timeMs)
    return { txn, result, ended }
  }

  /** All of it as it is now, to be read while it goes on. One at a time. */
  snapshot(epochs: readonly EpochStart[]): SnapshotView {
    assert(this.#ensembleId !== null, 'a snapshot is taken of an ensemble')
    this.#snapshots += 1
    const { zxid, epoch } = this.#lastApplied
    const znodes = this.tree.freeze(this.#snapshots, zxid)
    const sessions = this.sessions.freeze(this.#snapshots, zxid)
    return {
      header: {
        zxid,
        epoch,
        timeMs: this.#timeMs,
        ensembleId: this.#ensembleId,
        digestAlgorithm,
        digest: this.digest,
        epochs,
      },
      next(entriesMax) {
        const entries: SnapshotEntry[] = znodes.next(entriesMax)
        return entries.length > 0 ? entries : sessions.next(entriesMax)
      },
      close: () => {
        this.tree.thaw()
        this.sessions.thaw()
      },
    }
  }

  /** As it is before txn 1. */
  plant(): void {
    this.tree.plant()
  }

  loadHeader(header: SnapshotHeader): void {
    assert(this.#lastApplied.zxid === 0, 'a snapshot is loaded into an empty state')
    this.#ensembleId = header.ensembleId
    this.#timeMs = header.timeMs
    this.#lastApplied = { epoch: header.epoch, zxid: header.zxid }
  }

  loadEntry(entry: SnapshotEntry): void {
    if (entry.entry === 'znode') this.tree.load(entry)
    else this.sessions.load(entry)
  }

  loaded(): void {
    this.tree.loaded()
    this.sessions.loaded()
  }

  #applyBody(txn: Txn): { result: WriteResult | null; closes: TxnBodyOf<'closeSession'> | null } {
    const { body } = txn
    switch (body.body) {
      case 'createEnsemble':
        this.#ensembleId = body.ensembleId
        return nothingToAnswer
      case 'createSession':
        this.sessions.open(sessionIdOf(txn), body.sessionTimeoutMs, body.nonceHash)
        return nothingToAnswer
      case 'closeSession':
        this.#change(txn, body.changes)
        return { result: answer(txn, encodeResult('closeSession', {})), closes: body }
      case 'write':
        return { result: this.#write(txn, body), closes: null }
      case 'acknowledge':
        for (const { sessionId, ackedXid } of body.acked) {
          this.sessions.acknowledge(sessionId, ackedXid)
        }
        return nothingToAnswer
      case 'error':
        return { result: refusal(txn, body), closes: null }
      default:
        return assertNever(body)
    }
  }

  #write(txn: Txn, body: TxnBodyOf<'write'>): WriteResult | null {
    const { changes, answer: form } = body
    const results = this.#change(txn, changes)
    if (txn.sessionId === 0) return null
    switch (form.answer) {
      case 'single': {
        const [change, result] = [changes[0], results[0]]
        assert(change !== undefined && result !== undefined, 'a single write has one change')
        return answer(txn, singleResult(change, result))
      }
      case 'multi':
        return answer(txn, encodeResult('multi', { branch: form.branch, results }))
      case 'deleteRecursive': {
        const result = { deleted: changes.length, done: form.done }
        return answer(txn, encodeResult('deleteRecursive', result))
      }
      default:
        return assertNever(form)
    }
  }

  /** @returns for each change what the client learns of it, as it is right after that change */
  #change(txn: Txn, changes: readonly Change[]): ChangeResult[] {
    const results: ChangeResult[] = []
    for (const change of changes) {
      const znode = this.tree.apply(change, txn)
      const path = change.change === 'create' ? change.path : null
      const stat = txn.sessionId === 0 || znode === null ? null : statOf(znode)
      results.push({ path, stat })
    }
    this.tree.applied()
    return results
  }
}

interface ChangeResult {
  readonly path: string | null
  readonly stat: Stat | null
}

const nothingToAnswer = Object.freeze({ result: null, closes: null })

/** A session is named by the txn that creates it. */
export const sessionIdOf = (txn: { readonly zxid: Zxid }): SessionId =>
  txn.zxid as number as SessionId

const singleResult = (change: Change, { path, stat }: ChangeResult): unknown => {
  if (change.change === 'delete') return encodeResult('delete', {})
  assert(stat !== null, 'the answer of a write that is no delete has a stat')
  return path === null ? encodeResult('setData', { stat }) : encodeResult('create', { path, stat })
}

const answer = (txn: Txn, result: unknown): WriteResult | null => {
  const { xid, zxid, sessionId, body } = txn
  if (sessionId === 0) return null
  return { xid, zxid, failure: null, result, bytes: answerBytes(body) }
}

const refusal = (txn: Txn, body: TxnBodyOf<'error'>): WriteResult => {
  const { xid, zxid } = txn
  const { code, message, index } = body
  return { xid, zxid, failure: { code, message, index }, result: null, bytes: answerBytes(body) }
}

/** What keeping the answer of a txn takes: its session is charged for it from the proposal on. */
export const answerBytes = (body: TxnBody): number => {
  if (body.body === 'error') return 64 + 2 * body.message.length
  if (body.body !== 'write' || body.answer.answer === 'deleteRecursive') return 32
  let bytes = 32
  for (const change of body.changes) {
    bytes += 128 + (change.change === 'create' ? 2 * change.path.length : 0)
  }
  return bytes
}
