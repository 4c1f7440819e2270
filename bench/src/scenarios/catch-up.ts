import { connect } from '@conclave/client'
import type { Op } from '@conclave/protocol'
import { EnsembleProcesses } from '../ensemble-processes.js'
import { Phases } from '../phases.js'
import { PipelinedWriter } from '../pipelined-writer.js'
import { ReaderProcess } from '../reader-process.js'
import type { Report } from '../report.js'
import type { Bench, Scenario } from '../scenario.js'
import { WritersProcess } from '../writers-process.js'
import { setTimeout as sleep } from 'node:timers/promises'

/** A follower that was away for a million txns, and whom its return holds up. */
export const catchUp: Scenario = {
  name: 'catch-up',
  summary: 'a follower that was away for a million txns comes back under load',
  run: (bench) => run(bench, bench.quick ? 100_000 : 1_000_000),
}

const run = async (bench: Bench, txns: number): Promise<Report> => {
  const ensemble = new EnsembleProcesses(bench.directory, 3)
  const [writers, reader] = [new WritersProcess(), new ReaderProcess()]
  try {
    bench.progress('start')
    await ensemble.startAll()
    const leader = await ensemble.led()
    const server = ensemble.server(leader)
    await using client = await connect(server.url)
    for (const path of paths) await client.create(path, payload)
    await reader.read(server.url, paths[0] as string)
    const [away, ...others] = ensemble.ids.filter((id) => id !== leader) as [number, number]
    await writers.spread(ensemble.url, [leader, ...others])
    const perSecond = await writers.saturate(saturateSeconds)
    const phases = new Phases(bench, server, reader)
    await ensemble.end(away, 'SIGTERM')
    const writer = await PipelinedWriter.open(server.url)
    await phases.run('follower away', () => writer.write(sets(txns)))
    await writer.close()
    await writers.pace(perSecond / 2)
    await phases.run('load without it', async () => {
      await sleep(loadMs)
      return null
    })
    const back = await phases.run('it comes back', async () => {
      await ensemble.start(away)
      return txns
    })
    const after = await phases.run('load with it', async () => {
      await sleep(loadMs)
      return null
    })
    const { rejected, miscounted } = await writers.finish()
    const stallMs = Math.max(back.server.ownStallMs, after.server.ownStallMs)
    const cpuMs = Math.max(back.server.cpuMs, after.server.cpuMs)
    return {
      scenario: `catch-up: ${txns} txns of 100 bytes`,
      figures: [
        { name: 'load meanwhile', value: perSecond / 2, unit: 'writes/s' },
        { name: 'until it serves again', value: back.seconds, unit: 's' },
        { name: "leader's longest stall of its own", value: stallMs, unit: 'ms', goal: 20 },
        { name: "leader's longest turn on a CPU", value: cpuMs, unit: 'ms', goal: 20 },
        { name: 'promises rejected', value: rejected.length, unit: 'calls', goal: 0 },
        { name: 'not applied exactly once', value: miscounted, unit: 'calls', goal: 0 },
      ],
      phases: phases.done,
    }
  } finally {
    await Promise.all([writers.stop(), reader.stop()])
    await ensemble.stop()
  }
}

function* sets(count: number): Generator<Op> {
  for (let i = 0; i < count; i++) {
    const path = paths[i % paths.length] as string
    yield { op: 'setData', path, data: payload, version: -1 }
  }
}

const paths = Array.from({ length: 1_000 }, (_, i) => `/z${i}`)
const payload = Buffer.alloc(100, 'conclave ')
const loadMs = 5_000
const saturateSeconds = 5
