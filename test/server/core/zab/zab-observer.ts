import type { Epoch, ServerId } from '@conclave/protocol'
import type { HardState, Txn } from '@conclave/protocol/peer'

interface Disk {
  hardState: HardState
  txns: Txn[]
  commit: number
}

export interface Observed {
  readonly id: ServerId
  disk: Disk
  applied: number
  /** For each round asked for: the highest epoch established by then. */
  readonly roundStarts: Map<number, number>
}

/** Sees every memory and every disk, and knows what must hold. */
export class Observer {
  readonly #members: readonly Observed[]
  readonly #established = new Set<Epoch>()
  /** By zxid, from 1 on. */
  readonly committed: Txn[] = []
  readonly coverage = { leaders: 0, truncated: 0, wiped: 0, rounds: 0, reads: 0 }

  constructor(members: readonly Observed[]) {
    this.#members = members
  }

  get highestEpoch(): number {
    return Math.max(0, ...this.#established)
  }

  applied(member: Observed, txn: Txn): void {
    member.applied += 1
    check(txn.zxid === member.applied, 'applied in order, each once')
    const known = this.committed[txn.zxid - 1]
    if (known !== undefined) {
      check(known.xid === txn.xid && known.epoch === txn.epoch, 'all agree on what is committed')
      return
    }
    check(txn.zxid === this.committed.length + 1, 'committed in order')
    check(txn.epoch >= (this.committed.at(-1)?.epoch ?? 0), 'epochs never fall')
    this.committed.push(txn)
    const holders = this.#members.filter(({ disk }) => disk.txns[txn.zxid - 1]?.xid === txn.xid)
    check(holders.length * 2 > this.#members.length, 'a commit is durable on a quorum')
  }

  established(epoch: Epoch, txns: readonly Txn[]): void {
    check(!this.#established.has(epoch), 'one established leader an epoch')
    for (const txn of this.committed) {
      check(txns[txn.zxid - 1]?.xid === txn.xid, 'a leader has all that was committed')
    }
    this.#established.add(epoch)
    this.coverage.leaders += 1
  }

  confirmed({ roundStarts }: Observed, epoch: Epoch, round: number): void {
    for (const [begun, highest] of roundStarts) {
      if (begun > round) continue
      check(highest <= epoch, 'no later leader when a confirmed round began')
      roundStarts.delete(begun)
      this.coverage.rounds += 1
    }
  }
}

export const check = (condition: boolean, sentence: string): void => {
  if (!condition) throw new Error(`does not hold: ${sentence}`)
}
