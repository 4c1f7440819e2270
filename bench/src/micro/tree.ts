import type { Zxid } from '@conclave/protocol'
import type { Change } from '@conclave/protocol/peer'
import { Digest } from '../../../server/dist/core/fingerprint.js'
import { DataTree } from '../../../server/dist/core/tree/data-tree.js'
import { suiteOf } from './micro-case.js'
import { createOf, setDataOf } from './txns.js'

/** As a server has it that holds so many znodes already. */
const treeOf = (znodes: number) => {
  const tree = new DataTree(new Digest())
  let zxid = 0
  const apply = (change: Change): void => {
    zxid += 1
    tree.apply(change, { zxid: zxid as Zxid, timeMs: 1_700_000_000_000 + zxid })
    tree.applied()
  }
  tree.plant()
  let created = 0
  const create = (): void => apply(createOf(`/z${created}`, created++))
  while (created < znodes) create()
  return { tree, apply, create }
}

const filled = treeOf(100_000)
const versions = new Map<string, number>()
let turn = 0

const setOne = (): void => {
  const path = `/z${(turn++ * 7_919) % 100_000}`
  const version = (versions.get(path) ?? 0) + 1
  versions.set(path, version)
  filled.apply(setDataOf(path, version))
}

let growing = treeOf(0)
let grown = 0

/** Begins anew now and then, or memory would have no end. */
const createOne = (): void => {
  grown += 1
  if (grown % 500_000 === 0) growing = treeOf(0)
  growing.create()
}

export const tree = suiteOf('tree', [
  { name: 'get among 100,000', operations: 1, run: () => void filled.tree.get('/z54321') },
  { name: 'apply setData among 100,000', operations: 1, run: setOne },
  { name: 'apply create', operations: 1, run: createOne },
])
