import { diskError, type DiskOperation } from '../support/virtual-disk.js'
import type { Ledger } from './ledger.js'
import type { Random } from './random.js'
import type { Scene, Strike } from './scene.js'
import { dataDirectory, type SimServer } from './sim-server.js'
import type { FaultKind } from './swarm.js'

/** What happens to the disks. */
export const diskFaults = {
  powerLoss: ({ server, random, down }) => down(server, () => server.powerLoss(lossOf(random))),
  powerLossOfAll: ({ ensemble: { servers }, random, down }) =>
    servers.map((each) => down(each, () => each.powerLoss(lossOf(random)))).some(Boolean),
  /** Between any two durable steps: the power goes while one of the next ones is in flight. */
  crashPoint: ({ server, random, down, note }) => {
    if (!server.isUp) return false
    const died = (operation: DiskOperation): void => {
      note(`at ${nameOf(operation)}`)
      down(server, () => server.powerLoss(lossOf(random)))
    }
    if (random.chance(0.5)) server.disk.crashAt(1 + random.below(40), died)
    else server.disk.crashAfter(({ kind, path }) => !isLogWrite(kind, path) && !isRead(kind), died)
    return true
  },
  wipe: (scene) => mayForget(scene) && loseDisk(scene, () => scene.server.wipe()),
  /** A process that cannot start with what it finds is told to rejoin by its operator. */
  bitRot: (scene) => hasSpareCopies(scene) && loseDisk(scene, () => rot(scene.server, scene)),
  /** It fails once and would succeed the next time: nobody may believe that. */
  failedSync: ({ server, random, note }) => {
    if (!server.isUp) return false
    const isOfDirectory = random.chance(0.3)
    let left = 1 + random.below(isOfDirectory ? 4 : 20)
    server.disk.fail(({ kind, path }) => {
      const isDurable = isOfDirectory
        ? kind === 'syncDirectory'
        : kind === 'sync' || isLogWrite(kind, path)
      if (!isDurable || --left !== 0) return null
      if (isOfDirectory) note('of a directory')
      return diskError('EIO', path)
    })
    return true
  },
  fullDisk: ({ server, random, until }) => {
    // Where file systems copy what is written, an allocated file is no help.
    const isCopying = random.chance(0.3)
    server.disk.fail(({ kind, path, bytes, isGrowing }) =>
      isGrowing || (isCopying && kind === 'write')
        ? diskError('ENOSPC', path, random.below(bytes + 1))
        : null,
    )
    return until(random.exponential(4_000), () => server.disk.mend())
  },
  /** With all of them slow, proposals are outstanding while rounds are confirmed as ever. */
  slowDisk: ({ ensemble: { servers }, server, random, until }) => {
    const slow = random.chance(0.3) ? servers : [server]
    const factor = random.between(10, 100)
    for (const each of slow) each.disk.slow(factor)
    return until(random.exponential(3_000), () => {
      for (const each of slow) each.disk.slow(1)
    })
  },
} as const satisfies Partial<Record<FaultKind, Strike>>

const lossOf = (random: Random): ((count: number) => number) => {
  const keep = random.pick([0, 0.5, 1])
  return (count) => (random.chance(keep) ? random.below(count) : 0)
}

/**
 * A fresh server counts for nothing, so what it forgets is not lost as long as every majority of
 * the others holds all that is committed.
 */
const mayForget = ({ ensemble: { ledger, servers }, server }: Scene): boolean => {
  const last = ledger.committed.at(-1)
  const counting = servers.filter((each) => each !== server && isCounting(ledger, each))
  if (last === undefined || counting.length < ledger.majority) return false
  const lacking = counting.filter(({ id }) => !ledger.holds(id, last))
  return lacking.length < ledger.majority
}

/**
 * Damage may look like the torn end of a log, and then the server goes on with less than it once
 * acknowledged. That is no loss only while all the others hold all.
 */
const hasSpareCopies = ({ ensemble: { ledger, servers } }: Scene): boolean => {
  const last = ledger.committed.at(-1)
  const voters = servers.filter(({ id }) => ledger.voters.includes(id))
  if (voters.length < 3 || last === undefined) return false
  return voters.every((each) => isCounting(ledger, each) && ledger.holds(each.id, last))
}

const isCounting = (ledger: Ledger, { id }: SimServer): boolean =>
  ledger.voters.includes(id) && (ledger.log(id).hardState?.currentEpoch ?? 0) > 0

const loseDisk = ({ ensemble, server, down }: Scene, ruin: () => void): boolean => {
  if (!down(server, ruin)) return false
  ensemble.lostDisk(server)
  return true
}

const rot = (server: SimServer, { random, note }: Scene): void => {
  server.kill()
  const kept = server.disk.files.names(dataDirectory).filter((name) => kindOf(name) !== 'other')
  const name = random.pick(kept)
  const path = `${dataDirectory}/${name}`
  const used = server.disk.files.content(path).findLastIndex((byte) => byte !== 0)
  server.disk.rot(path, random.below(used + 1), random.below(8))
  note(`of ${kindOf(name)}`)
}

const isRead = (kind: DiskOperation['kind']): boolean =>
  kind === 'read' || kind === 'list' || kind === 'size'

const nameOf = ({ kind, path }: DiskOperation): string => `${kind} ${kindOf(path)}`

const isLogWrite = (kind: DiskOperation['kind'], path: string): boolean =>
  kind === 'write' && kindOf(path) === 'log'

const kindOf = (path: string): 'log' | 'snapshot' | 'hard state' | 'other' => {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (name.startsWith('log-')) return 'log'
  if (name.startsWith('snapshot-')) return 'snapshot'
  return name.startsWith('hard-state') ? 'hard state' : 'other'
}
