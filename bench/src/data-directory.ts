import type { Epoch, ServerId, SessionId, Zxid } from '@conclave/protocol'
import type { SnapshotEntry } from '@conclave/protocol/peer'
import { nodeFiles, nodeTimers, openDataDirectory } from '@conclave/server/storage'
import { writeHardState, writeSnapshot } from '@conclave/server/storage'

/**
 * Makes a directory as a server has it that was taught by a leader's snapshot at `zxid`: its
 * history goes on from there, so that a benchmark need not write billions of txns first.
 */
export const directoryAt = async (directory: string, zxid: Zxid): Promise<void> => {
  await openDataDirectory(nodeFiles, directory)
  const epoch = 1 as Epoch
  const serverId = 1 as ServerId
  const hardState = { acceptedEpoch: epoch, acceptedFrom: serverId, currentEpoch: epoch }
  const identity = { ensembleId, serverId, voters: [serverId], rejoining: false, generation: 0 }
  await writeHardState(nodeFiles, directory, { ...hardState, ...identity })
  const epochs = [{ epoch, firstZxid: 1 as Zxid }]
  // No algorithm: the digest is not compared.
  const digest = { digestAlgorithm: 0, digest: '' }
  const header = { zxid, epoch, timeMs: Date.now(), ensembleId, ...digest, epochs }
  const entries = [root]
  const view = { header, next: () => entries.splice(0), close: () => undefined }
  const options = { generation: 1, recordCrc: 0, isUnwanted: () => false }
  await writeSnapshot(nodeFiles, directory, nodeTimers, view, options)
}

const ensembleId = 'bench'

const root: SnapshotEntry = {
  entry: 'znode',
  path: '/',
  data: null,
  acl: null,
  kind: 'persistent',
  czxid: 0 as Zxid,
  mzxid: 0 as Zxid,
  pzxid: 0 as Zxid,
  ctime: 0,
  mtime: 0,
  version: 0,
  aversion: 0,
  ephemeralOwner: 0 as SessionId,
  ttlMs: 0,
  ordinal: 0,
  childrenCreated: 0,
}
