import { type Contender, listContenders } from '@conclave/client/recipes'
import { commandRow } from '../command.js'
import { escapeText } from '../output/escape.js'
import { tableText } from '../output/table.js'
import { ageText } from '../output/time.js'
import { linearizableOption, type ReadFlags, readOptions } from '../read-options.js'

export const locks = commandRow({
  name: 'locks',
  summary: 'list who holds and who waits at a lock, semaphore or election',
  parameters: [{ syntax: '<path>', help: 'of the lock', isPath: true }],
  options: [linearizableOption],
  examples: ['locks /locks/compaction'],

  async *run(context, [word], options: ReadFlags) {
    const path = context.path(word ?? '.')
    yield await listContenders(context.client, path, readOptions(options, context.longWait))
  },
  show(contenders: readonly Contender[], { isTerminal, style, nowMs }) {
    if (contenders.length === 0) return isTerminal ? style.dim('(nobody)') : ''
    const rows = contenders.map((contender) => [
      contender.isHolder ? 'holds' : 'waits',
      contender.kind,
      escapeText(contender.id ?? '-'),
      String(contender.token),
      String(contender.sessionId),
      ageText(contender.sinceMs, nowMs),
      escapeText(contender.path),
    ])
    return tableText(columns, rows)
  },
})

const columns = [
  { title: 'STATE' },
  { title: 'KIND' },
  { title: 'ID' },
  { title: 'TOKEN', align: 'right' },
  { title: 'SESSION', align: 'right' },
  { title: 'SINCE' },
  { title: 'PATH' },
] as const
