/** What both entries of the package export besides `connect`. */
export {
  type Acl,
  type AclEntry,
  type AclScheme,
  type ChangeType,
  type CreateKind,
  type EventDetail,
  type Identity,
  limits,
  type NameRef,
  openAcl,
  type Permission,
  permissions,
  type RetryAdvice,
  type ServingRole,
  type SessionId,
  type Stat,
  type ZnodeKind,
} from '@conclave/protocol'
export type { Client, CloseOptions, RemoveWatchesOptions, ServerInfo, WhoAmI } from './client.js'
export {
  type As,
  bytes,
  type Codec,
  json,
  type SchemaLike,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
  text,
} from './codecs.js'
export { parseConnectString, type ConnectTarget } from './connect-string.js'
export type { Connect, ConnectOptions } from './connect.js'
export * from './errors.js'
export type { AuthOptions } from './identity.js'
export type { Child, Listing, ListOptions } from './listing.js'
export type { MultiReadOutcomes, MultiReadRequest, ReadOutcome } from './multi-read.js'
export type { ChangeEvent, Watched } from './one-shot.js'
export type {
  CreateKindName,
  CreateOptions,
  ReadOptions,
  VersionOptions,
  WaitOptions,
  WriteOptions,
  ZnodeOptions,
} from './options.js'
export { compareSequential, sequenceOf } from './sequential.js'
export type { SessionState, StateChange } from './session/effect.js'
export { Secret } from '@conclave/protocol'
export {
  type Condition,
  type ConditionalTransaction,
  type Guard,
  ref,
  type Transaction,
  type TransactionOperations,
} from './transaction.js'
export type { Created, Znode } from './tree-operations.js'
export type { Clock } from './transport/transport.js'
export type {
  CaughtUp,
  ChangedZnode,
  HistoryGap,
  WatchEvent,
  WatchPosition,
  WatchStream,
  WatchStreamOptions,
} from './watch.js'
