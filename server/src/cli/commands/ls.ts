import type { ChangeEvent, Child } from '@conclave/client'
import { commandRow } from '../command.js'
import { escapeText } from '../output/escape.js'
import { changeText } from '../output/event.js'
import { listingTable } from '../output/znode.js'
import { statJson } from '../output/znode-json.js'
import {
  changeOf,
  linearizableOption,
  readOptions,
  type WatchFlags,
  watchOption,
} from '../read-options.js'

interface Flags extends WatchFlags {
  readonly long?: true
}

type Children = readonly Child<true>[] | readonly string[]

export const ls = commandRow({
  name: 'ls',
  summary: 'list the children of a znode',
  parameters: [{ syntax: '[path]', help: 'of the znode; / or the place you are at', isPath: true }],
  options: [
    { flags: '-l, --long', help: 'with kind, version, size and time' },
    watchOption,
    linearizableOption,
  ],
  examples: ['ls /services', 'ls -l /services'],

  async *run(context, [word], options: Flags) {
    const path = context.path(word ?? '.')
    const withStat = options.long === true
    const reading = { ...readOptions(options, context.wait), withStat }
    if (options.watch !== true) {
      yield sorted(await context.client.list(path, reading).toArray())
      return
    }
    const listing = context.client.list(path, { ...reading, watch: true })
    yield sorted(await listing.toArray())
    yield await changeOf(listing.changed, context.longWait)
  },
  show(result: Children | ChangeEvent, view, { long }) {
    if ('type' in result) return changeText(result, view.style)
    if (result.length === 0) return view.isTerminal ? view.style.dim('(no children)') : ''
    if (long === true) return listingTable(result as readonly Child<true>[], view)
    return (result as readonly string[]).map((name) => view.style.path(escapeText(name))).join('\n')
  },
  toJson(result) {
    if ('type' in result) return result
    return result.map((child) =>
      typeof child === 'string' ? child : { name: child.name, stat: statJson(child.stat) },
    )
  },
})

const sorted = (children: readonly Child<boolean>[]): Children => {
  const nameOf = (child: Child<boolean>): string => (typeof child === 'string' ? child : child.name)
  return children.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)) as Children
}
