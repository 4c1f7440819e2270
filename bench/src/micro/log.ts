import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Epoch, ServerId, Zxid } from '@conclave/protocol'
import { openStorage } from '@conclave/server/storage'
import type { Ticket } from '../../../server/dist/core/input.js'
import type { MicroSuite } from './micro-case.js'
import { setDataOf, txnOf } from './txns.js'

/** Appends to a log on the disk of the temporary directory, durable each time. */
export const openLog = async (): Promise<MicroSuite> => {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-micro-'))
  const { storage, recover } = await openStorage({
    directory: join(directory, 'data'),
    log: () => undefined,
    onDiskSpace: () => undefined,
    onFatal: (error) => {
      throw error
    },
  })
  const ignore = (): void => undefined
  await recover({
    snapshot: ignore,
    entry: ignore,
    snapshotEnd: ignore,
    txn: ignore,
    committed: ignore,
  })
  let zxid = 0
  let ticket = 0
  const append = (count: number, hardState = false): Promise<void> => {
    const txns = Array.from({ length: count }, () => txnOf(++zxid, setDataOf('/a/znode', zxid)))
    ticket += 1
    return new Promise((resolve) =>
      storage.persist(
        {
          effect: 'persist',
          ticket: ticket as Ticket,
          truncateAfter: null,
          txns,
          commit: (zxid - count) as Zxid,
          hardState: hardState ? firstHardState : null,
        },
        resolve,
      ),
    )
  }
  await append(1, true)
  return {
    name: 'log',
    cases: [
      { name: 'append 1 txn', operations: 1, run: () => append(1) },
      { name: 'append 256 txns', operations: 256, run: () => append(256) },
    ],
    async close() {
      await storage.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const firstHardState = {
  acceptedEpoch: 1 as Epoch,
  acceptedFrom: 1 as ServerId,
  currentEpoch: 1 as Epoch,
  ensembleId: 'bench',
  serverId: 1 as ServerId,
  voters: [1 as ServerId],
  rejoining: false,
  generation: 0,
}
