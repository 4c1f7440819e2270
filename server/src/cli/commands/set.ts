import type { Stat } from '@conclave/client'
import { commandRow, dataOf } from '../command.js'
import { statJson } from '../output/znode-json.js'
import { UsageError } from '../usage-error.js'
import { versionOption, type VersionFlags } from '../version-option.js'

interface SetFlags extends VersionFlags {
  readonly file?: string
}

export const set = commandRow({
  name: 'set',
  summary: "replace a znode's data",
  parameters: [
    { syntax: '<path>', help: 'of the znode', isPath: true },
    { syntax: '[data]', help: 'the new data; - reads it from the standard input' },
  ],
  options: [
    versionOption('version'),
    { flags: '-f, --file <file>', help: 'read the data from a file; - is the standard input' },
  ],
  examples: ['set /config \'{"shards":32}\' -v 3', 'set /config --file config.json', 'set /a ""'],
  advice: { noNode: 'create it with "create"' },

  async *run(context, [word = '', data], { ifVersion, file }: SetFlags) {
    if (data === undefined && file === undefined) {
      throw new UsageError('say what to set: the data, --file FILE, or "" for no data')
    }
    const path = context.path(word)
    const bytes = await dataOf(context, data, file)
    const stat = await context.client.set(path, bytes, { version: ifVersion, ...context.wait })
    yield { path, stat }
  },
  show: ({ stat }: { path: string; stat: Stat }, { style }) => style.dim(`version ${stat.version}`),
  toJson: ({ path, stat }) => ({ path, stat: statJson(stat) }),
})
