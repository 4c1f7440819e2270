import { AgreedViews } from '../invariants/agreed-views.js'
import { Edits } from '../invariants/edits.js'
import { ExclusiveGrants } from '../invariants/exclusive-grants.js'
import { GivenNumbers } from '../invariants/given-numbers.js'
import { GuardedWrites } from '../invariants/guarded-writes.js'
import type { Invariant } from '../invariants/invariant.js'
import { type Present, Timeline } from '../invariants/timeline.js'
import { configPath, servicePath, treePath } from './places.js'
import type { Held } from './grants.js'

/** Paths and mzxids, in words that can be compared. */
export const wordsOfTree = (present: Present): string =>
  Array.from(present, ([path, mzxid]) => `${path} ${mzxid}`)
    .sort()
    .join()

/** The ids of the instances of a service, whatever sessions they were registered in. */
const wordsOfService = (present: Present): string => {
  const names = Array.from(present.keys(), (path) => path.slice(servicePath.length + 1))
  return wordsOfIds(names.filter((name) => name !== '').map((name) => name.split('@')[0] ?? ''))
}

export const wordsOfIds = (ids: readonly string[]): string => [...new Set(ids)].sort().join()

/** What the programs of one world must not see. */
export class Oracles {
  readonly grants: ExclusiveGrants
  readonly writes = new GuardedWrites()
  readonly tree = new Timeline(treePath, wordsOfTree)
  readonly services = new Timeline(servicePath, wordsOfService)
  readonly views = new AgreedViews()
  readonly edits = new Edits(configPath)
  readonly timestamps = new GivenNumbers()
  readonly counts = new GivenNumbers()

  /** @param isJudged false for grants that may rightly overlap */
  constructor(isJudged: (held: Held) => boolean) {
    this.grants = new ExclusiveGrants(isJudged)
  }

  /** What has to hold at each moment. */
  get invariants(): readonly Invariant[] {
    return [this.grants, this.writes, this.tree, this.services, this.edits]
  }
}
