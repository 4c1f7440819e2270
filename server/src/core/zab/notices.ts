import { limits, type ServerId } from '@conclave/protocol'
import type { PeerFrameOf } from '@conclave/protocol/peer'
import type { Clock } from './context.js'

type Notification = PeerFrameOf<'notification'>

/** The last notification of every peer. Looking servers repeat theirs: an old one says nothing. */
export class Notices {
  readonly #clock: Clock
  readonly #notices = new Map<ServerId, { readonly notice: Notification; readonly atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  hear(from: ServerId, notice: Notification): void {
    this.#notices.set(from, { notice, atMs: this.#clock.nowMs })
  }

  forget(from: ServerId): void {
    this.#notices.delete(from)
  }

  heard(): ReadonlyMap<ServerId, Notification> {
    const recent = new Map<ServerId, Notification>()
    for (const [from, { notice, atMs }] of this.#notices) {
      if (this.#clock.nowMs - atMs <= limits.silenceMsMax) recent.set(from, notice)
    }
    return recent
  }
}
