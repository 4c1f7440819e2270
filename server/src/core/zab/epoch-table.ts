import { type Epoch, epochZero, type LogPosition, type Zxid, zxidZero } from '@conclave/protocol'
import type { EpochStart } from '@conclave/protocol/peer'
import { assert } from '../assert.js'

/** Which epoch each record of the log is of, also of those long purged. */
export class EpochTable {
  readonly #starts: EpochStart[] = []

  constructor(starts: readonly EpochStart[]) {
    for (const start of starts) this.#add(start)
  }

  /** To be called with the position of every record appended. */
  append(position: LogPosition): void {
    const epoch = this.#starts.at(-1)?.epoch ?? epochZero
    assert(position.epoch >= epoch, 'epochs never fall along a log')
    if (position.epoch > epoch) this.#add({ epoch: position.epoch, firstZxid: position.zxid })
  }

  truncateAfter(zxid: Zxid): void {
    while ((this.#starts.at(-1)?.firstZxid ?? zxidZero) > zxid) this.#starts.pop()
  }

  /** The epoch of the record at `zxid`, supposing the log reaches that far. */
  epochAt(zxid: Zxid): Epoch {
    return this.#starts.findLast((start) => start.firstZxid <= zxid)?.epoch ?? epochZero
  }

  positionAt(zxid: Zxid): LogPosition {
    return { epoch: this.epochAt(zxid), zxid }
  }

  /** The last zxid of the largest epoch that is not above `epoch`; 0 when all are above. */
  lastZxidThrough(epoch: Epoch, last: Zxid): Zxid {
    const next = this.#starts.find((start) => start.epoch > epoch)
    return next === undefined ? last : ((next.firstZxid - 1) as Zxid)
  }

  /** What a snapshot at `zxid` says about epochs. */
  upTo(zxid: Zxid): readonly EpochStart[] {
    return this.#starts.filter((start) => start.firstZxid <= zxid)
  }

  #add(start: EpochStart): void {
    assert(
      canFollow(this.#starts.at(-1), start),
      'the epoch table ascends in epochs and in zxids, from 1',
    )
    this.#starts.push(start)
  }
}

/** True when these are the epochs of a log; what comes from a disk may be anything. */
export const areEpochs = (starts: readonly EpochStart[]): boolean =>
  starts.every((start, i) => canFollow(starts[i - 1], start))

const canFollow = (last: EpochStart | undefined, { epoch, firstZxid }: EpochStart): boolean =>
  Number.isSafeInteger(epoch) &&
  Number.isSafeInteger(firstZxid) &&
  epoch > (last?.epoch ?? 0) &&
  firstZxid > (last?.firstZxid ?? 0)
