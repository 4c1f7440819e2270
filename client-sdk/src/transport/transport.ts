/** One open, or opening, connection. */
export interface Connection {
  /** Sends one message; it is lost silently when the connection is. */
  send(message: Uint8Array): void
  /** Ends it. No event follows. */
  close(): void
}

/** What happens to a connection. `lost` is said once and last, instead of or after `opened`. */
export interface ConnectionEvents {
  opened(): void
  message(message: Uint8Array): void
  /**
   * @param reason for people
   * @param isTooLarge because a message was larger than any may be
   */
  lost(reason: string, isTooLarge?: boolean): void
}

/** The close code of WebSocket for a message that is too large. */
export const tooLargeCode = 1009

/** How the SDK reaches a server. Names are resolved anew each time a connection is opened. */
export interface Transport {
  /** @param server `host:port` */
  open(server: string, events: ConnectionEvents): Connection
}

/** The time of one place. */
export interface Clock {
  /** Monotonic. */
  nowMs(): number
  /**
   * Runs `run` once, later.
   * @returns takes it back
   */
  timer(afterMs: number, run: () => void): () => void
}

/** All that the SDK needs of the place it runs in. */
export interface Platform extends Clock {
  readonly transport: Transport
  randomBytes(count: number): Uint8Array
  /** Runs `run` after all that this turn still does, so that it finds everything gathered. */
  defer(run: () => void): void
}
