/**
 * As `pinned.ts`, in worlds of programs that use recipes.
 *
 * Usage: node test/dist/sim/pinned-recipes.js SEED ...
 */
import { runPinned } from './pinned-worlds.js'

await runPinned('RECIPE-62 RECIPE-63 RECIPE-64', { usesRecipes: true })
