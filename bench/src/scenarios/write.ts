import { loadRow } from '../compare/load-row.js'
import { rowsScenario } from '../compare/rows-scenario.js'

export const write = rowsScenario({
  name: 'write',
  summary: 'sets and creates of 100 bytes, many at a time and one at a time',
  rows: (how) => [
    loadRow({ name: 'set 16x32', operation: 'set', ...sixteen, goal: 4, cpuGoalUs: 13 }, how),
    loadRow({ name: 'set 64x100', operation: 'set', connections: 64, inFlight: 100, goal: 4 }, how),
    loadRow({ name: 'create 16x32', operation: 'create', ...sixteen, goal: 4 }, how),
    loadRow(
      {
        name: 'set, one at a time',
        operation: 'set',
        connections: 1,
        inFlight: 1,
        placement: 'leader',
        by: 'p50Ms',
        goal: 0.85,
        isShapeFree: false,
      },
      how,
    ),
  ],
})

const sixteen = { connections: 16, inFlight: 32 }
