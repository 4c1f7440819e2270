/** What is built of znodes, sessions and watches alone; each has its page in docs/RECIPES.md. */
export { Barrier } from './barrier.js'
export {
  type ConfigChange,
  type ConfigDifference,
  type ConfigDrift,
  type ConfigEditOptions,
  type ConfigNode,
  ConfigStore,
  type ConfigStoreOptions,
  type ConfigSubscribeOptions,
  type ConfigVersion,
  type RolloutOptions,
  type RolloutResult,
  type RolloutStage,
  type SettledStage,
} from './config-store.js'
export { type Contender, type ContenderKind, listContenders } from './contenders.js'
export { Counter } from './counter.js'
export { DoubleBarrier, type DoubleBarrierOptions } from './double-barrier.js'
export { Election, type ElectionOptions, type Leader, type Leadership } from './election.js'
export type { Grant } from './grant.js'
export { Lease, type LeaseHolder, type LeaseOptions } from './lease.js'
export type { Lock, LockOptions } from './lock.js'
export {
  type JoinOptions,
  type LeaveOptions,
  type Member,
  type MemberChange,
  Membership,
  type MemberState,
  type MembershipView,
} from './membership.js'
export { type MultiGrant, MultiLock } from './multi-lock.js'
export { Mutex } from './mutex.js'
export { NearCache, type NearCacheOptions, type NearReadOptions } from './near-cache.js'
export { PersistentEphemeral, type PersistentEphemeralOptions } from './persistent-ephemeral.js'
export { ReadWriteLock } from './read-write-lock.js'
export { Semaphore, type SemaphoreOptions } from './semaphore.js'
export {
  type ResolverStrategy,
  type ServiceInstance,
  type ServiceInstanceOptions,
  type ServiceRegistration,
  ServiceRegistry,
  type ServiceResolver,
  type ServiceResolverOptions,
} from './service-registry.js'
export { type Registration, type RunOptions, SessionScope } from './session-scope.js'
export { SharedValue, type Versioned } from './shared-value.js'
export { type Holding, TimestampOracle, type TimestampOracleOptions } from './timestamp-oracle.js'
export {
  type CacheEntry,
  type CacheEvent,
  type CacheEventsOptions,
  type IndexFunction,
  TreeCache,
  type TreeCacheOptions,
} from './tree-cache.js'
export { type Work, type WorkFailure, WorkQueue, type WorkQueueOptions } from './work-queue.js'
