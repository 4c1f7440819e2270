import type { Ending, OneShotEvent, Settlement, StreamItem } from './effect.js'

/** Who the machine's effects are for: its tokens. */
export interface Caller {
  settled(settlement: Settlement): void
  /** A one-shot watch that the call has set. */
  fired(event: OneShotEvent): void
  watchLost(why: Ending): void
  /** Something of a stream. */
  item(item: StreamItem): void
}

/** Who is told when a one-shot watch that a call has set fires, or never will. */
export interface WatchObserver {
  fired(event: OneShotEvent): void
  lost(why: Ending): void
}

/** One call: settled once; the watch it may have set lives on. */
export class Call implements Caller {
  readonly #settle: (settlement: Settlement) => void
  readonly #observer: WatchObserver | null

  constructor(settle: (settlement: Settlement) => void, observer: WatchObserver | null) {
    this.#settle = settle
    this.#observer = observer
  }

  settled(settlement: Settlement): void {
    this.#settle(settlement)
  }

  fired(event: OneShotEvent): void {
    this.#observer?.fired(event)
  }

  watchLost(why: Ending): void {
    this.#observer?.lost(why)
  }

  item(): void {}
}
