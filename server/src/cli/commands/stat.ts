import { type ChangeEvent, NoNodeError, type Stat } from '@conclave/client'
import { commandRow } from '../command.js'
import { escapeText } from '../output/escape.js'
import { changeText } from '../output/event.js'
import { statText } from '../output/znode.js'
import { statJson } from '../output/znode-json.js'
import {
  changeOf,
  linearizableOption,
  readOptions,
  type WatchFlags,
  watchOption,
} from '../read-options.js'

interface Found {
  readonly path: string
  readonly stat: Stat | null
}

export const stat = commandRow({
  name: 'stat',
  summary: 'print what is known of a znode besides its data',
  parameters: [{ syntax: '<path>', help: 'of the znode', isPath: true }],
  options: [watchOption, linearizableOption],
  examples: ['stat /config', 'stat -w /not/there/yet'],

  async *run(context, [word = ''], options: WatchFlags) {
    const path = context.path(word)
    const reading = readOptions(options, context.wait)
    if (options.watch !== true) {
      const found = await context.client.exists(path, reading)
      if (found === null) throw new NoNodeError({ path })
      yield { path, stat: found }
      return
    }
    const { stat: found, changed } = await context.client.exists(path, { ...reading, watch: true })
    yield { path, stat: found }
    yield await changeOf(changed, context.longWait)
  },
  show(result: Found | ChangeEvent, view) {
    if ('type' in result) return changeText(result, view.style)
    if (result.stat !== null) return statText(result.path, result.stat, view)
    return view.style.dim(`${escapeText(result.path)} does not exist yet`)
  },
  toJson(result) {
    if ('type' in result) return result
    return { path: result.path, stat: result.stat === null ? null : statJson(result.stat) }
  },
})
