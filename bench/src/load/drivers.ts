import { openEtcd } from '../peers/etcd-connection.js'
import { openZookeeper } from '../peers/zookeeper-connection.js'
import type { OpenConnection } from './connection.js'
import { openRaw } from './raw-connection.js'
import { openSdk } from './sdk-connection.js'

/** How a generator speaks to servers. */
export const drivers = {
  sdk: openSdk,
  raw: openRaw,
  zookeeper: openZookeeper,
  etcd: openEtcd,
} as const satisfies Readonly<Record<string, OpenConnection>>

export type DriverName = keyof typeof drivers
