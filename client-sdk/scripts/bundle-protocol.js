// The package of the SDK carries @conclave/protocol inside itself, so that it installs on its own.
// In the workspace that package is a link, and npm packs no links: for the time of `npm pack`
// a real copy stands in node_modules.
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const from = fileURLToPath(new URL('../../protocol/', import.meta.url))
const scope = fileURLToPath(new URL('../node_modules/@conclave/', import.meta.url))
const to = `${scope}protocol/`

rmSync(scope, { recursive: true, force: true })

if (process.argv[2] === 'add') {
  const { files } = JSON.parse(readFileSync(`${from}package.json`, 'utf8'))
  const isUnwanted = (path) => /(?:\.tsbuildinfo|tsconfig\.json)$/.test(path)
  const folders = files.filter((name) => !name.startsWith('!'))
  for (const name of ['package.json', ...folders]) {
    cpSync(from + name, to + name, { recursive: true, filter: (path) => !isUnwanted(path) })
  }
}
