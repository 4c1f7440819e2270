import type { ConnectionId } from '../../../server/dist/core/input.js'
import { eventsOf } from '../../../server/dist/core/watch/events.js'
import { WatchTable } from '../../../server/dist/core/watch/watch-table.js'
import { suiteOf } from './micro-case.js'
import { setDataOf, txnOf } from './txns.js'

const watchers = 1_000
const path = '/services/database'
const txn = txnOf(7, setDataOf(path, 1))
const table = new WatchTable()

/** All are told, and watch again. */
const trigger = (): void => {
  for (const event of eventsOf(txn)) {
    for (const connection of table.watchers('data', event.path)) {
      table.remove('data', event.path, connection)
      table.add('data', event.path, connection)
    }
  }
}

for (let i = 1; i <= watchers; i++) table.add('data', path, i as number as ConnectionId)

export const watch = suiteOf('watch', [
  { name: 'events of a setData', operations: 1, run: () => void eventsOf(txn) },
  { name: 'trigger 1,000 one-shot watches', operations: watchers, run: trigger },
])
