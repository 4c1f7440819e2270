import { createHash } from 'node:crypto'
import { limits, type Op, type ServerId } from '@conclave/protocol'
import type { ReplicaConfig } from '#server/core/config.js'
import type { ConnectionId } from '#server/core/input.js'
import { Recovery } from '#server/core/recovery.js'
import { Replica } from '#server/core/replica.js'
import { Node } from '#server/runtime/node.js'
import { PasswordHasher } from '#server/runtime/password-hasher.js'
import { openStorage } from '#server/runtime/storage/index.js'
import { txnPacker } from '#server/runtime/txn-codec.js'
import { pino } from 'pino'
import { connectFrame, createOp, requestFrame } from './raw-client.js'
import { directory, storageOptions } from './storage-kit.js'
import { noMetrics } from './no-metrics.js'
import { VirtualDisk } from './virtual-disk.js'

export const configOfOne = (snapshotTxns: number): ReplicaConfig => {
  const serverId = 1 as ServerId
  return {
    serverId,
    voters: [serverId],
    observers: [],
    bootstrap: false,
    newEnsembleId: 'an ensemble',
    historyBytesMax: limits.historyBytesDefault,
    packer: txnPacker,
    snapshotTxns,
    sessionTimeoutMsMin: limits.sessionTimeoutMsMin,
    sessionTimeoutMsMax: limits.sessionTimeoutMsMax,
  }
}

/**
 * What a server leaves after three lives of its loop, core and storage, without sockets, and with
 * segments smaller than any operator may have: sessions, changes and refusals, snapshots, several
 * segments.
 * @param isCrashed the last life was not stopped; the others were or were not
 */
export const realImage = async (isCrashed: boolean): Promise<VirtualDisk> => {
  let disk = new VirtualDisk()
  for (const life of [1, 2, 3]) {
    const isKilled = life === 2 || (life === 3 && isCrashed)
    disk = await live(disk, `/life-${life}`, isKilled)
  }
  return disk
}

const live = async (disk: VirtualDisk, root: string, isKilled: boolean): Promise<VirtualDisk> => {
  const config = configOfOne(6)
  const { storage, recover } = await openStorage(storageOptions(disk))
  const recovery = new Recovery(config)
  const replica = new Replica(config, recovery.finish(await recover(recovery)))
  const hasher = new PasswordHasher()
  const node = await new Promise<Node>((resolve, reject) => {
    const log = pino({ level: 'silent' })
    const onServing = (): void => resolve(made)
    const on = { onServing, onRetired() {}, onRestart: reject, onFatal: reject }
    const nobody = { clients: new Map<never, never>(), peers: null, metrics: noMetrics }
    const made = new Node(replica, { storage, hasher, log, ...on, ...nobody })
  })
  const client = node.accept(1 as ConnectionId, '127.0.0.1')
  const { sessions } = replica.status
  const nonce = createHash('sha256').update(root).digest()
  client.frame(connectFrame({ nonce }), 100)
  await until(() => replica.status.sessions > sessions)
  // Its answer leaves with the next drain.
  for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve))
  for (const [i, op] of opsBelow(root).entries()) {
    const { zxid } = replica.status
    client.frame(requestFrame(i + 1, op), 100)
    await until(() => replica.status.zxid > zxid)
  }
  // A snapshot that is being written is none yet.
  await until(() => !disk.names(directory).some((name) => /^snapshot-.*tmp$/.test(name)))
  const killed = disk.fork((count) => count - 1)
  node.stop()
  await storage.close()
  await hasher.stop()
  return isKilled ? killed : disk.fork((count) => count - 1)
}

/** Every kind of change, and refusals, which are logged too. */
const opsBelow = (root: string): readonly Op[] => [
  createOp(root, Buffer.from('the data of a znode')),
  { op: 'setData', path: root, data: Buffer.from('other data'), version: 0 },
  { ...createOp(`${root}/s-`), kind: 'ephemeralSequential' },
  { op: 'delete', path: `${root}/none`, version: -1 },
  { op: 'setAcl', path: root, acl: [openEntry], version: 0 },
]

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

const openEntry = { scheme: 'world', id: 'anyone', permissions: 31 } as const
