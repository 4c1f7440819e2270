import type { Epoch, ServerId, Zxid } from '@conclave/protocol'

/**
 * What decides who may lead. currentEpoch is the durable one of the hard state, never the epoch of
 * the last record: an epoch may be empty, and its leadership still outranks the ones before it.
 */
interface Credentials extends HistoryRank {
  readonly serverId: ServerId
}

export interface HistoryRank {
  readonly currentEpoch: Epoch
  readonly lastZxid: Zxid
}

/** Positive when `a` has the better claim to lead; the server id only breaks ties. */
export const compareCredentials = (a: Credentials, b: Credentials): number =>
  compareHistories(a, b) || a.serverId - b.serverId

/**
 * Within one currentEpoch the longer history contains the shorter: both began with the history that
 * this epoch was established on, and only its one leader has added to it.
 */
export const compareHistories = (a: HistoryRank, b: HistoryRank): number =>
  a.currentEpoch - b.currentEpoch || a.lastZxid - b.lastZxid

/** A fresh server counts for nothing: what it once acknowledged may be lost with its disk. */
export const isFresh = (server: { readonly currentEpoch: Epoch }): boolean =>
  server.currentEpoch === 0

/** Whether a server with this to offer can take part in the first election of an ensemble. */
export const mayFound = (server: HistoryRank & { readonly rejoining: boolean }): boolean =>
  !server.rejoining && (isFresh(server) || server.lastZxid === 0)
