import type { ChangeEvent, Stat } from '@conclave/client'
import { commandRow } from '../command.js'
import { bytesForJson } from '../output/bytes.js'
import { changeText } from '../output/event.js'
import { dataText, statText } from '../output/znode.js'
import { statJson } from '../output/znode-json.js'
import {
  changeOf,
  linearizableOption,
  readOptions,
  type WatchFlags,
  watchOption,
} from '../read-options.js'

interface Flags extends WatchFlags {
  readonly raw?: true
  readonly stat?: true
}

interface Found {
  readonly path: string
  readonly data: Uint8Array
  readonly stat: Stat
}

export const get = commandRow({
  name: 'get',
  summary: "print a znode's data",
  parameters: [{ syntax: '<path>', help: 'of the znode', isPath: true }],
  options: [
    { flags: '-s, --stat', help: 'print its stat too' },
    { flags: '-r, --raw', help: 'print the bytes as they are, without a line end' },
    watchOption,
    linearizableOption,
  ],
  examples: ['get /config', 'get --raw /image > image.png', 'get -w /config'],

  async *run(context, [word = ''], options: Flags) {
    const path = context.path(word)
    const reading = readOptions(options, context.wait)
    if (options.watch !== true) {
      yield { path, ...(await context.client.get(path, reading)) }
      return
    }
    const { changed, ...found } = await context.client.get(path, { ...reading, watch: true })
    yield { path, ...found }
    yield await changeOf(changed, context.longWait)
  },
  show(result: Found | ChangeEvent, view, { raw, stat }) {
    if ('type' in result) return changeText(result, view.style)
    if (raw === true) return result.data
    const data = dataText(result.data, view)
    if (stat !== true) return data
    return `${data}${data === '' ? '' : '\n\n'}${statText(result.path, result.stat, view)}`
  },
  toJson(result) {
    if ('type' in result) return result
    const { path, data, stat } = result
    return { path, ...bytesForJson(data), stat: statJson(stat) }
  },
})
