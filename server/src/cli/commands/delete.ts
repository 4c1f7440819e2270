import { commandRow } from '../command.js'
import { UsageError } from '../usage-error.js'
import { versionOption, type VersionFlags } from '../version-option.js'

interface DeleteFlags extends VersionFlags {
  readonly recursive?: true
}

export const deleteZnode = commandRow({
  name: 'delete',
  alias: 'rm',
  summary: 'delete a znode, or all below it too',
  parameters: [{ syntax: '<path>', help: 'of the znode', isPath: true }],
  options: [
    versionOption('version'),
    { flags: '-r, --recursive', help: 'with all below it, deepest first; not atomic' },
  ],
  examples: ['delete /jobs/j-0000000001', 'delete /config -v 3', 'delete -r /jobs'],
  advice: { notEmpty: 'add -r to delete all below it too' },

  async *run(context, [word = ''], { ifVersion, recursive }: DeleteFlags) {
    const path = context.path(word)
    if (recursive === true) {
      if (ifVersion !== undefined) {
        throw new UsageError('--recursive and --if-version do not go together')
      }
      yield { path, deleted: await context.client.deleteRecursive(path, context.longWait) }
      return
    }
    await context.client.delete(path, { version: ifVersion, ...context.wait })
    yield { path, deleted: 1 }
  },
  show: ({ deleted }: { path: string; deleted: number }, { style }, { recursive }) =>
    recursive === true ? style.dim(`deleted ${deleted} znode${deleted === 1 ? '' : 's'}`) : '',
})
