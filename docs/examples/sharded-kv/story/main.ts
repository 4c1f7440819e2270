import { Narrator } from './narrator.js'
import { Processes } from './processes.js'
import { Stage } from './stage.js'
import { Story } from './story.js'
import { audit } from './traffic.js'

/** `npm run example`: the exit code is 0 when every promise was kept, and 1 when one was not. */
const main = async (): Promise<number> => {
  const narrator = new Narrator(process.stdout)
  const processes = new Processes()
  // Whatever ends this process ends the others.
  process.once('exit', () => processes.end())
  process.stdout.once('error', () => process.exit(1))
  for (const [signal, code] of signals) {
    process.once(signal, () => {
      narrator.say(`${signal}: all processes are ended`)
      process.exit(code)
    })
  }
  try {
    return await Promise.race([tell(narrator, processes), processes.fault])
  } catch (error) {
    narrator.bad(`Broken: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  }
}

const signals = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const

const tell = async (narrator: Narrator, processes: Processes): Promise<number> => {
  narrator.title('A sharded key-value database on Conclave')
  const stage = await Stage.open(processes)
  narrator.say(`three Conclave servers run at ${stage.conclave.url}`)
  const story = new Story(stage, narrator, processes)
  await story.nodesStart()
  await story.nodeDies()
  await story.coordinatorDies()
  await story.fourthNodeJoins()
  await story.conclaveLeaderDies()
  await story.ownerStandsStill()
  await story.settingsChange()
  narrator.act('The audit: what was acknowledged, beside what the storage has accepted')
  await story.traffic.stop()
  const { lost, stale } = await audit(story.traffic, stage.database, processes.journal)
  const fenced = await stage.storage.refused()
  narrator.table([
    ['writes', ''],
    ['accepted', String(story.traffic.accepted)],
    ['refused as fenced', String(fenced)],
    ['lost', String(lost)],
    ['stale, yet accepted', String(stale)],
  ])
  if (lost > 0 || stale > 0 || fenced === 0) throw new Error('the audit has found a broken promise')
  narrator.good('Every promise was kept.')
  return 0
}

process.exit(await main())
