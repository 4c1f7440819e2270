import { loadRow } from '../compare/load-row.js'
import { rowsScenario } from '../compare/rows-scenario.js'

export const read = rowsScenario({
  name: 'read',
  summary: 'local reads at one server, linearizable reads, and reads with a tenth of writes',
  rows: (how) => [
    loadRow(
      {
        name: 'local read 16x100 at one server',
        operation: 'get',
        connections: 16,
        inFlight: 100,
        placement: 'follower',
        goal: 4,
        cpuGoalUs: 2.5,
      },
      how,
    ),
    loadRow(
      { name: 'linearizable read 16x32', operation: 'linearizableGet', ...sixteen, goal: 8 },
      how,
    ),
    loadRow({ name: 'mixed 90/10 16x32', operation: 'mixed', ...sixteen, goal: 5 }, how),
    // Reads of etcd get dearer once much was written.
    loadRow(
      {
        name: 'local read 16x100 after the writes',
        operation: 'get',
        connections: 16,
        inFlight: 100,
        placement: 'follower',
        goal: null,
      },
      how,
    ),
  ],
})

const sixteen = { connections: 16, inFlight: 32 }
