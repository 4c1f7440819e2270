import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { etcd } from '../peers/etcd.js'
import { zookeeper } from '../peers/zookeeper.js'
import type { Bench } from '../scenario.js'
import { conclave } from '../systems/conclave.js'
import { Ensemble } from '../systems/ensemble.js'
import type { EnsembleOptions, System } from '../systems/system.js'
import { Contender, type Entry } from './contender.js'

/** The ensembles of one scenario, side by side on this machine, and who drives them. */
export class Arena {
  readonly contenders: readonly Contender[]
  readonly #ensembles: readonly Ensemble[]

  private constructor(contenders: readonly Contender[], ensembles: readonly Ensemble[]) {
    this.contenders = contenders
    this.#ensembles = ensembles
  }

  /** Three servers each. Peers that are not installed are said and left out. */
  static async open(bench: Bench, options: Partial<EnsembleOptions> = {}): Promise<Arena> {
    const { size, cpu }: EnsembleOptions = { size: 3, cpu: null, ...options }
    const contenders: Contender[] = []
    const ensembles: Ensemble[] = []
    let names = 0
    const nextName = (): string => `n${names++}`
    const arena = new Arena(contenders, ensembles)
    try {
      for (const { system, entries } of participants) {
        if (!isAsked(bench, system)) continue
        bench.progress(`start ${size} of ${system.name}`)
        const directory = await mkdtemp(join(bench.directory, `${system.name}-`))
        const ensemble = await Ensemble.start(system, directory, { size, cpu })
        ensembles.push(ensemble)
        for (const entry of entries) contenders.push(new Contender(entry, ensemble, nextName))
      }
    } catch (error) {
      await arena.close()
      throw error
    }
    return arena
  }

  async close(): Promise<void> {
    await Promise.all(this.contenders.map((contender) => contender.stop()))
    await Promise.all(this.#ensembles.map((ensemble) => ensemble.stop()))
  }
}

const isAsked = (bench: Bench, system: System): boolean => {
  const { name } = system
  if (name === conclave.name) return true
  if (!bench.peers.includes(name)) return false
  const lack = system.missing()
  if (lack !== null) bench.progress(`without ${name}: ${lack}`)
  return lack === null
}

const participants: readonly { readonly system: System; readonly entries: readonly Entry[] }[] = [
  {
    system: conclave,
    entries: [
      { name: 'conclave', driver: 'sdk', isPeer: false, lacks: [] },
      { name: 'conclave, raw', driver: 'raw', isPeer: false, lacks: [] },
    ],
  },
  {
    system: zookeeper,
    entries: [{ name: 'zookeeper', driver: 'zookeeper', isPeer: true, lacks: ['linearizableGet'] }],
  },
  { system: etcd, entries: [{ name: 'etcd', driver: 'etcd', isPeer: true, lacks: [] }] },
]

/** What `--peers` may name. */
export const peerNames: readonly string[] = participants
  .map(({ system }) => system.name)
  .filter((name) => name !== conclave.name)
