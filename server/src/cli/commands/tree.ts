import {
  type Client,
  NoAuthError,
  NoNodeError,
  type Stat,
  type WaitOptions,
} from '@conclave/client'
import { commandRow } from '../command.js'
import { escapeText } from '../output/escape.js'
import { statJson } from '../output/znode-json.js'
import { wholeNumber } from '../parse-options.js'

interface Flags {
  readonly depth?: number
  readonly limit?: number
}

interface Branch {
  readonly path: string
  readonly name: string
  readonly stat: Stat | null
  /** For each level down to this one: whether it is the last of its siblings. */
  readonly lasts: readonly boolean[]
}

export const tree = commandRow({
  name: 'tree',
  summary: 'print a znode and all below it as a tree',
  parameters: [{ syntax: '[path]', help: 'of the znode; / or the place you are at', isPath: true }],
  options: [
    { flags: '-d, --depth <levels>', help: 'go down so far only', parse: wholeNumber('--depth') },
    {
      flags: '-n, --limit <znodes>',
      help: 'stop after so many; 1000 unless said otherwise',
      parse: wholeNumber('--limit'),
    },
  ],
  examples: ['tree /services', 'tree -d 1'],

  async *run(context, [word], { depth = Number.POSITIVE_INFINITY, limit = 1_000 }: Flags) {
    const { client } = context
    const path = context.path(word ?? '.')
    const stat = await client.exists(path, context.wait)
    if (stat === null) throw new NoNodeError({ path })
    let left = limit
    const walk = walkFrom(client, { path, name: path, stat, lasts: [] }, depth, context.wait)
    for await (const branch of walk) {
      if (left === 0) {
        context.note(`there is more; --limit takes more than ${limit}`)
        return
      }
      left -= 1
      yield branch
    }
  },
  show: (branch: Branch, { style }) => {
    const { name, stat, lasts } = branch
    const lines = lasts.map((isLast, level) => {
      if (level < lasts.length - 1) return isLast ? '    ' : '│   '
      return isLast ? '└── ' : '├── '
    })
    const kind = stat === null || stat.kind === 'persistent' ? '' : ` ${style.warn(stat.kind)}`
    const size =
      stat === null || stat.dataLength === 0
        ? ''
        : ` ${stat.dataLength} byte${stat.dataLength === 1 ? '' : 's'}`
    const refused = stat === null ? ` (not allowed to look below)` : ''
    const drawn = style.dim(lines.join(''))
    return `${drawn}${style.path(escapeText(name))}${kind}${style.dim(size + refused)}`
  },
  toJson: ({ path, stat }) => ({ path, stat: stat === null ? null : statJson(stat) }),
})

/** Depth first, siblings by name; what is deleted meanwhile is left out. */
async function* walkFrom(
  client: Client,
  branch: Branch & { readonly stat: Stat },
  depth: number,
  wait: WaitOptions,
): AsyncGenerator<Branch> {
  if (branch.stat.numChildren === 0 || depth === 0) return yield branch
  let children
  try {
    children = await client.list(branch.path, { withStat: true, ...wait }).toArray()
  } catch (error) {
    if (error instanceof NoNodeError) return
    if (error instanceof NoAuthError) return yield { ...branch, stat: null }
    throw error
  }
  yield branch
  children.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const [i, { name, stat }] of children.entries()) {
    const path = branch.path === '/' ? `/${name}` : `${branch.path}/${name}`
    const lasts = [...branch.lasts, i === children.length - 1]
    yield* walkFrom(client, { path, name, stat, lasts }, depth - 1, wait)
  }
}
