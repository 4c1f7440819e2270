import type { WatchEvent } from '@conclave/client'
import { commandRow } from '../command.js'
import { decodePosition, encodePosition, eventJson, eventText } from '../output/event.js'
import { wholeNumber } from '../parse-options.js'
import { UsageError } from '../usage-error.js'

interface Flags {
  readonly recursive?: true
  readonly data?: true
  readonly from?: string
  readonly count?: number
}

export const watch = commandRow({
  name: 'watch',
  summary: 'print what happens to a znode, or to all below it too, as it happens',
  parameters: [{ syntax: '[path]', help: 'of the znode; / or the place you are at', isPath: true }],
  options: [
    { flags: '-r, --recursive', help: 'the whole tree below it too' },
    { flags: '-d, --data', help: 'with the data after the change' },
    { flags: '--from <position>', help: 'go on after a position that an earlier watch printed' },
    {
      flags: '-n, --count <number>',
      help: 'end after so many events',
      parse: wholeNumber('--count'),
    },
  ],
  examples: ['watch -r /services', 'watch -r -d --count 10 --json /config'],
  isEndless: true,

  async *run(context, [word], { recursive, data, from, count }: Flags) {
    if (count === 0) throw new UsageError('--count is at least 1')
    const path = context.path(word ?? '.')
    const stream = context.client.watch(path, {
      recursive: recursive === true,
      detail: data === true,
      from: from === undefined ? null : decodePosition(from),
      signal: context.wait.signal,
    })
    let left = count ?? Number.POSITIVE_INFINITY
    let hasStarted = false
    try {
      for await (const event of stream) {
        if (event.type !== 'caughtUp') left -= 1
        else if (!hasStarted) {
          hasStarted = true
          context.note(`watching ${path}${recursive === true ? ' and all below it' : ''}`)
        }
        yield event
        if (left === 0) return
      }
    } finally {
      const { position } = stream
      if (context.endsSession && position !== null) {
        context.note(`to go on from here: --from ${encodePosition(position)}`)
      }
    }
  },
  // That it has caught up is said once, as a note.
  show: (event: WatchEvent, view) => (event.type === 'caughtUp' ? '' : eventText(event, view)),
  toJson: (event) => eventJson(event),
})
