import type { Op } from '@conclave/protocol'
import { bytesOf, create, getData, remove, setData } from '../support/replica-kit.js'
import type { Random } from './random.js'

/** One of all the things that clients do, about a few znodes, so that they meet. */
export const drawEverydayOp = (
  random: Random,
  {
    client,
    tag,
    isReader,
  }: { readonly client: string; readonly tag: string; readonly isReader: boolean },
): Op => {
  const path = `/${random.pick(names)}`
  const data = bytesOf(tag)
  const version = random.chance(0.2) ? random.below(5) : -1
  const linearizable = random.chance(0.3)
  const watch = random.chance(0.3)
  const dice = random.between(isReader ? 0.68 : 0, 1)
  if (dice < 0.18) return create(path, { data })
  if (dice < 0.26) return create(path, { data, kind: 'persistentSequential' })
  if (dice < 0.31) return create(`${path}-of-${client}`, { data, kind: 'ephemeral' })
  if (dice < 0.34) return create(`${path}-box`, { data, kind: 'container' })
  if (dice < 0.37) return create(`${path}-box/${random.pick(names)}`, { data })
  if (dice < 0.4) return remove(`${path}-box/${random.pick(names)}`)
  if (dice < 0.42) return create(`${path}-brief`, { data, kind: 'ttl', ttlMs: 1_000 })
  if (dice < 0.6) return setData(path, data, version)
  if (dice < 0.68) return remove(path, version)
  if (dice < 0.84) return { ...getData(path), linearizable, watch }
  if (dice < 0.9) return { op: 'exists', path, linearizable, watch }
  if (dice < 0.96) {
    const page = { cursor: null, limit: 1_000, withStat: false }
    return { op: 'getChildren', path: `${path}-box`, linearizable, watch, ...page }
  }
  return { op: 'sync', path }
}

const names = ['a', 'b', 'c', 'd', 'e'] as const
