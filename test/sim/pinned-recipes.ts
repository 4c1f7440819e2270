/**
 * As `pinned.ts`, in worlds of programs that use recipes.
 *
 * Usage: node test/dist/sim/pinned-recipes.js SEED ...
 */
import { runPinned } from './pinned-worlds.js'

const rules = [62, 63, 64, 66, 67, 68].map((rule) => `RECIPE-${rule}`).join(' ')
await runPinned(rules, { usesRecipes: true })
