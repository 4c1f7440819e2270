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
}

/** A promise for one event, and the observer that keeps it. */
export const oneShot = (chroot: Chroot, path: string): OneShot => {
  let observer: WatchObserver | undefined
  const changed = new Promise<ChangeEvent>((resolve, reject) => {
    observer = {
      fired: ({ type, path: at, zxid }) => resolve({ type, path: chroot.toClient(at), zxid }),
      lost: ({ failure, outcome }) => reject(errorOf(failure, { path, outcome })),
    }
  })
  changed.catch(() => {})
  return { changed, observer: observer as WatchObserver }
}
