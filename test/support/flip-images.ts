import { inspectLog } from '#server/runtime/storage/index.js'
import { parseSnapshotName } from '#server/runtime/storage/snapshot-format.js'
import type { SweepOptions } from './flips.js'
import { realImage } from './real-image.js'
import { directory } from './storage-kit.js'
import type { VirtualDisk } from './virtual-disk.js'

export interface FlipImage {
  readonly name: string
  readonly isCrashed: boolean
  readonly make: () => Promise<VirtualDisk>
  /** What flips of it come to. */
  readonly verdicts: readonly ('refused' | 'repaired' | 'unchanged' | 'cutOff')[]
}

/** Directories to flip bits in. */
export const flipImages: readonly FlipImage[] = [
  {
    name: 'after a clean stop',
    isCrashed: false,
    make: () => realImage(false),
    verdicts: ['refused', 'repaired', 'unchanged'],
  },
  {
    name: 'after a crash',
    isCrashed: true,
    make: () => realImage(true),
    verdicts: ['refused', 'repaired', 'unchanged', 'cutOff'],
  },
  {
    name: 'when there is no older snapshot',
    isCrashed: false,
    make: async () => {
      const disk = await realImage(false)
      // As purge leaves it when one snapshot is kept.
      const snapshots = disk.names(directory).filter((name) => name.startsWith('snapshot-'))
      const { zxid = 0 } = parseSnapshotName(snapshots.at(-1) ?? '') ?? {}
      let needed = ''
      for await (const item of inspectLog(disk, directory)) {
        if (item.item === 'segment' && item.firstZxid <= zxid + 1) needed = item.file
      }
      for (const name of disk.names(directory)) {
        const path = `${directory}/${name}`
        const isOld = /^log-\d/.test(name) ? path < needed : snapshots.slice(0, -1).includes(name)
        if (isOld) disk.remove(path)
      }
      return disk
    },
    verdicts: ['refused', 'unchanged'],
  },
]

/** What must have come out, and nothing else. */
export const verdictsOf = (
  counts: Readonly<Record<FlipImage['verdicts'][number], number>>,
): readonly string[] =>
  Object.entries(counts).flatMap(([verdict, count]) => (count > 0 ? [verdict] : []))

export const everyBit: SweepOptions['bits'] = () => [0, 1, 2, 3, 4, 5, 6, 7]
export const oneBit: SweepOptions['bits'] = (offset) => [offset % 8]
