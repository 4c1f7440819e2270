import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutation } from './mutation.js'

const machinery = new Set([
  'mutation.js',
  'recipe-mutation.js',
  'recorded.js',
  'run.js',
  'scratch.js',
])

/** The mutations of all files beside this one. */
export const recordedMutations = async (): Promise<readonly Mutation[]> => {
  const here = import.meta.dirname
  const names = readdirSync(here).filter((name) => name.endsWith('.js') && !machinery.has(name))
  const modules = await Promise.all(
    names.sort().map(async (name) => {
      return (await import(join(here, name))) as { mutations: readonly Mutation[] }
    }),
  )
  return modules.flatMap(({ mutations }) => mutations)
}
