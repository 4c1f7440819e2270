import type { Platform } from './transport.js'

/** What every place has that knows the standards of the web. */
export const standardPlace: Omit<Platform, 'transport' | 'defer'> = Object.freeze({
  nowMs: () => performance.now(),
  randomBytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)),
  timer(afterMs: number, run: () => void) {
    const timer = setTimeout(run, afterMs)
    return () => clearTimeout(timer)
  },
})
