import type { Mutation } from '../mutations/mutation.js'

/** A bug that a trusted system once had, written into a copy of our sources. */
export interface Bug extends Mutation {
  /** Where it was reported, as `ZOOKEEPER-2310` or `etcd#14370`. */
  readonly bug: string
  /** What the broken system did, in a few words. */
  readonly story: string
}
