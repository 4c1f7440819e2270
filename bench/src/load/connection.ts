/**
 * One client connection as a generator drives it. Every reply is checked: that it is the one that
 * is due, that it says success, and that what was read is there. Anything else is a fault.
 */
export interface LoadConnection {
  create(path: string, value: Buffer, done: Done): void
  set(path: string, value: Buffer, done: Done): void
  get(path: string, isLinearizable: boolean, done: Done): void
  /** Resolves when it is set; `onEvent` is called for each change from then on. */
  watch(path: string, onEvent: () => void): Promise<void>
  /** Nothing but an answer. Where the protocol has no such thing, it is a fault. */
  ping(done: Done): void
  close(): Promise<void>
}

/**
 * @param stamp grows with each write of a znode: its version, or the revision of the store; null
 *   when nothing was done because the server is over a limit
 */
export type Done = (stamp: number | null) => void

export type OnFault = (error: Error) => void

/** @param address `host:port` of the only server that it may use */
export type OpenConnection = (address: string, onFault: OnFault) => Promise<LoadConnection>
