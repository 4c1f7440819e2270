import { randomUUID } from 'node:crypto'
import { limits, type ServerId } from '@conclave/protocol'
import type { ReplicaConfig } from './core/config.js'
import { type Recovered, Recovery } from './core/recovery.js'
import { Replica } from './core/replica.js'
import type { PeerHost } from './runtime/net/peer-links.js'
import { txnPacker } from './runtime/txn-codec.js'
import { Node, type NodePorts } from './runtime/node.js'
import {
  DamageError,
  DataDirectoryError,
  type Files,
  type OpenedStorage,
  openStorage,
  type Storage,
} from './runtime/storage/index.js'
import type { ServerSettings } from './server-options.js'
import { StartError } from './start-error.js'

/**
 * One life of a server's state: what was recovered from the disk, the replica made of it, and the
 * loop around that. A server may have several, one after another, behind the same ports.
 */
export interface Incarnation {
  readonly node: Node
  readonly storage: Storage
  readonly replica: Replica
  readonly peerHost: PeerHost
}

export interface IncarnationPorts extends Omit<NodePorts, 'storage'> {
  /** A file system of the caller's choice; null is the real one. */
  readonly files: Files | null
  readonly onDiskSpace: (ok: boolean) => void
}

/** @throws StartError */
export const openIncarnation = async (
  settings: ServerSettings,
  ports: IncarnationPorts,
): Promise<Incarnation> => {
  const config = replicaConfig(settings)
  let opened: OpenedStorage | null = null
  try {
    opened = await openStorage({
      directory: settings.data,
      files: ports.files ?? undefined,
      segmentBytes: settings.segmentBytes,
      log: (level, message, fields) => ports.log[level](fields, message),
      onDiskSpace: ports.onDiskSpace,
      onFatal: ports.onFatal,
    })
    const { storage } = opened
    const recovery = new Recovery(config)
    const recovered = recovery.finish(await opened.recover(recovery))
    checkIdentity(recovered, config, settings.data)
    const replica = new Replica(config, recovered)
    const node = new Node(replica, { ...ports, storage })
    return { node, storage, replica, peerHost: node.peerHost(recovered.hardState.ensembleId) }
  } catch (error) {
    await opened?.storage.close()
    throw startErrorOf(error)
  }
}

const replicaConfig = (settings: ServerSettings): ReplicaConfig => {
  const { historyBytesMax, snapshotTxns, sessionTimeoutMsMin, sessionTimeoutMsMax } = settings
  const idsOf = (wanted: 'voter' | 'observer'): readonly ServerId[] => {
    const ids = settings.servers.flatMap(({ id, role }) => (role === wanted ? [id] : []))
    return ids.sort((a, b) => a - b) as ServerId[]
  }
  return {
    serverId: settings.serverId,
    voters: idsOf('voter'),
    observers: idsOf('observer'),
    bootstrap: settings.bootstrap,
    newEnsembleId: randomUUID(),
    historyBytesMax: Math.max(historyBytesMax, limits.historyBytesMin),
    packer: txnPacker,
    snapshotTxns,
    sessionTimeoutMsMin,
    sessionTimeoutMsMax,
  }
}

const checkIdentity = ({ hardState }: Recovered, config: ReplicaConfig, data: string): void => {
  if (hardState.serverId === config.serverId && hardState.voters.join() === config.voters.join()) {
    return
  }
  throw new StartError(
    'options',
    `${data} belongs to server ${hardState.serverId} of ${hardState.voters.join(', ')}: ` +
      'start it as that one, or name another directory.',
    { option: 'data' },
  )
}

const startErrorOf = (error: unknown): unknown => {
  if (error instanceof DamageError) return new StartError('damage', error.message, { cause: error })
  if (error instanceof DataDirectoryError) {
    const code = error.problem === 'noPermission' ? 'permission' : 'dataDirectory'
    return new StartError(code, error.message, { cause: error, option: 'data' })
  }
  return error
}
