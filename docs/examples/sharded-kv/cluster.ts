import { Buffer } from 'node:buffer'
import type { SchemaLike } from '@conclave/client'

/** What all programs of the database agree on. */

export const shards: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7]

/** Where things stand in Conclave. */
export const paths = {
  root: '/kv',
  /** Which nodes there are, as a group that changes in steps all agree on. */
  nodes: '/kv/nodes',
  /** Where they listen. */
  services: '/kv/services',
  /** Who of them decides which node serves which shard. */
  coordinator: '/kv/coordinator',
  /** What it decided: shard -> node. */
  assignment: '/kv/assignment',
  /** Who really serves a shard: whoever has its lease. */
  leases: '/kv/shards',
  lease: (shard: number): string => `/kv/shards/${shard}`,
  settings: '/kv/settings',
} as const

/** A node that is silent for so long is given up, and others take its shards. */
export const sessionTimeoutMs = 2_000

export type Assignment = Readonly<Record<number, string>>

export const serviceName = 'kv'

/** What every node runs by, kept in a `ConfigStore`. */
export interface Settings {
  readonly valueBytesMax: number
}

export const settingsSchema: SchemaLike<Settings> = {
  parse(value) {
    const { valueBytesMax } = value as Settings
    if (Number.isSafeInteger(valueBytesMax) && valueBytesMax > 0) return { valueBytesMax }
    throw new TypeError('`valueBytesMax` is a whole number above 0')
  },
}

/** FNV-1a. */
export const shardOf = (key: string): number => {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0) % shards.length
}
