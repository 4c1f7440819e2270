import { commandRow } from '../command.js'
import { linearizableOption, type ReadFlags, readOptions } from '../read-options.js'

export const count = commandRow({
  name: 'count',
  summary: 'count the znodes below a znode',
  parameters: [{ syntax: '[path]', help: 'of the znode; / or the place you are at', isPath: true }],
  options: [linearizableOption],
  examples: ['count /queue'],

  async *run(context, [word], options: ReadFlags) {
    const path = context.path(word ?? '.')
    const descendants = await context.client.countDescendants(
      path,
      readOptions(options, context.longWait),
    )
    yield { path, descendants }
  },
  show: ({ descendants }: { path: string; descendants: number }) => String(descendants),
})
