import type { ChangeType } from '@conclave/protocol'
import type { Chroot } from './chroot.js'
import { errorOf } from './errors.js'
import type { WatchObserver } from './session/call.js'

/** What a one-shot watch has to tell. The new state is not in it: read again. */
export interface ChangeEvent {
  readonly type: ChangeType
  readonly path: string
  /** Of the change that fired it. */
  readonly zxid: number
}

/** What a read with `watch: true` carries besides its answer. */
export interface Watched {
  /**
   * Resolves once, at the first change after the answer, even one that happened while no server was
   * reachable. Rejects with `SessionExpiredError`, `ClosedError`, or `NoWatcherError` after
   * `removeWatches`. Not awaiting it is fine.
   */
  readonly changed: Promise<ChangeEvent>
}

export interface OneShot extends Watched {
  readonly observer: WatchObserver
  /** The read itself has failed. */
  readonly fail: (error: unknown) => void
}

/** A promise for one event, and the observer that keeps it. */
export const oneShot = (chroot: Chroot, path: string): OneShot => {
  let parts!: Omit<OneShot, 'changed'>
  const changed = new Promise<ChangeEvent>((resolve, fail) => {
    const observer: WatchObserver = {
      fired: ({ type, path: at, zxid }) => resolve({ type, path: chroot.toClient(at), zxid }),
      lost: ({ failure, outcome }) => fail(errorOf(failure, { path, outcome })),
    }
    parts = { observer, fail }
  })
  changed.catch(() => {})
  return { changed, ...parts }
}
