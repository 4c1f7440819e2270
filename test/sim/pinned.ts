/**
 * Runs the worlds of the given seeds until one breaks a promise, and says so as TAP.
 *
 * Usage: node test/dist/sim/pinned.js SEED ...
 */
import { runPinned } from './pinned-worlds.js'

await runPinned('SIM-1')
