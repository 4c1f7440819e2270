import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SourceFile } from './source-text.js'

/** Seen from test/dist/support, where this file runs. */
export const repositoryRoot = fileURLToPath(new URL('../../..', import.meta.url))

const skippedFolders = new Set(['node_modules', '.git', '.tap', 'dist'])

/** Every file of the repository, and the compiled tests, as paths with slashes, sorted. */
export const listFiles = (folder = ''): readonly string[] =>
  readdirSync(join(repositoryRoot, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isFile()) return [path]
      const isData = path === 'data'
      const isSkipped = isData || (skippedFolders.has(entry.name) && path !== 'test/dist')
      return entry.isDirectory() && !isSkipped ? listFiles(path) : []
    })
    .sort()

export const readText = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8')

/** The TypeScript below the given folders, compiled files left out. */
export const readSources = (folders: readonly string[]): readonly SourceFile[] =>
  listFiles()
    .filter((path) => path.endsWith('.ts') && !path.startsWith('test/dist/'))
    .filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)))
    .map((path) => ({ path, text: readText(path) }))
