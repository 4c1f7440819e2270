import type { Mutation } from './mutation.js'

/** @param test the name of a test beside those of the recipes */
export const recipe = (
  rule: string,
  file: string,
  change: { readonly before: string; readonly after: string; readonly test: string },
): Mutation => ({
  rule,
  file: `client-sdk/src/recipes/${file}.ts`,
  before: change.before,
  after: change.after,
  test: `test/dist/client-sdk/recipes/${change.test}.test.js`,
})

/** Which shows when a fault strikes every recipe at every frame. */
export const faultedRecipe = (
  rule: string,
  file: string,
  change: { readonly before: string; readonly after: string },
): Mutation => ({
  rule,
  file: `client-sdk/src/recipes/${file}.ts`,
  ...change,
  test: 'test/dist/sim/every-frame.test.js',
})
