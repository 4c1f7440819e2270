import { limits, type Zxid } from '@conclave/protocol'
import { majority } from './quorum.js'

/** The last position at or below this one at which all servers note the digest of their state. */
export const checkpointAt = (zxid: Zxid): Zxid => (zxid - (zxid % limits.digestTxns)) as Zxid

/** The digests of the own state at the last checkpoints. */
export class DigestBook {
  readonly #digests = new Map<Zxid, string>()

  note(zxid: Zxid, digest: string): void {
    this.#digests.set(zxid, digest)
    this.#digests.delete((zxid - limits.digestsKept * limits.digestTxns) as Zxid)
  }

  /** Undefined where it was never here, or is forgotten. */
  at(zxid: Zxid): string | undefined {
    return this.#digests.get(zxid)
  }
}

export type DigestVerdict =
  | { readonly verdict: 'alike' }
  /** A majority of the voters has this one: who has another is wrong. */
  | { readonly verdict: 'known'; readonly right: string }
  /** Some differ, and nobody can tell who is wrong. */
  | { readonly verdict: 'divided' }

/** @param digests at one zxid, one for each voter; undefined is no difference */
export const judgeDigests = (digests: readonly (string | undefined)[]): DigestVerdict => {
  const counts = new Map<string, number>()
  for (const digest of digests) {
    if (digest !== undefined) counts.set(digest, (counts.get(digest) ?? 0) + 1)
  }
  for (const [right, count] of counts) {
    if (count >= majority(digests.length)) return { verdict: 'known', right }
  }
  return { verdict: counts.size > 1 ? 'divided' : 'alike' }
}
