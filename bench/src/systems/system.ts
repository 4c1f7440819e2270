import type { ServerCommand } from './server-processes.js'

/** Something that serves a tree or a map to clients, and can be run here as an ensemble. */
export interface System {
  readonly name: string
  /** Null when it can be started on this machine, otherwise how to make that so. */
  missing(): string | null
  /** Writes configurations below the directory; starts nothing. */
  prepare(directory: string, options: EnsembleOptions): Promise<Layout>
}

export interface EnsembleOptions {
  readonly size: number
  /** The servers' processes may use only this CPU; all when null. */
  readonly cpu: number | null
}

/** Servers that are ready to be started, with their vendor's settings for production. */
export interface Layout {
  readonly commands: readonly ServerCommand[]
  /** `host:port` where clients of each server connect. */
  readonly addresses: readonly string[]
  /** Null while it serves nobody, or cannot be asked. */
  role(index: number): Promise<Role | null>
  /** How late its event loop was since this was last asked, p99 in ms; null for other runtimes. */
  loopP99Ms(index: number): Promise<number | null>
}

export type Role = 'leading' | 'following'
