import type { SnapshotView } from '#server/core/effect.js'
import {
  installSnapshot,
  type Opened,
  type PersistParts,
  persistOf,
  saveSnapshot,
} from './storage-kit.js'

/** What a server does to its disk, in order. Persists in a row go into one batch. */
export type CrashStep =
  | { readonly step: 'persist'; readonly parts: PersistParts }
  | {
      readonly step: 'snapshot'
      readonly view: () => SnapshotView
      /** What follows is not held up by it. */
      readonly isMeanwhile?: boolean
    }
  /** Another server's snapshot comes in pieces; a restart must follow. */
  | { readonly step: 'install'; readonly view: () => SnapshotView }
  /** Wait for all before it. */
  | { readonly step: 'settle' }
  /** Close, or be killed, and start again. */
  | { readonly step: 'restart'; readonly isClean: boolean }

/** What goes on around the steps. */
export interface Performance {
  /** A persist or an installation is done. */
  readonly done: () => void
  readonly snapshotFailed: (error: Error) => void
  /** What was open is closed, if cleanly, or is killed now. @returns null when that was the end */
  readonly restart: () => Promise<Opened | null>
}

/** Does as a server does: persists in a row are all under way at once, the rest waits for them. */
export const performSteps = async (
  steps: readonly CrashStep[],
  first: Opened,
  { done, snapshotFailed, restart }: Performance,
): Promise<void> => {
  let opened = first
  let inFlight: Promise<void>[] = []
  for (const step of steps) {
    if (step.step === 'persist') {
      const persist = persistOf(step.parts)
      const { storage } = opened
      const saved = new Promise<void>((resolve) => {
        storage.persist(persist, () => resolve(done()))
      })
      inFlight.push(saved)
      continue
    }
    await Promise.all(inFlight)
    inFlight = []
    if (step.step === 'snapshot') {
      const saved = saveSnapshot(opened.storage, step.view()).then(() => undefined, snapshotFailed)
      if (step.isMeanwhile === true) inFlight.push(saved)
      else await saved
    } else if (step.step === 'install') {
      // Its leader offers it again.
      while (!(await installSnapshot(opened.storage, step.view()))) await turn()
      done()
    } else if (step.step === 'restart') {
      if (step.isClean) await opened.storage.close()
      const next = await restart()
      if (next === null) return
      opened = next
    }
  }
  await Promise.all(inFlight)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
