import { type NodeOptions, runNode } from './node.js'
import { runStorage } from './storage.js'

/** The entry of the processes that the story starts: a node, or the storage. */
export type ChildOrder =
  | { readonly run: 'storage'; readonly journal: string }
  | ({ readonly run: 'node' } & NodeOptions)

const main = async (order: ChildOrder): Promise<void> => {
  if (order.run === 'node') return runNode(order)
  process.send?.(await runStorage(order.journal))
}

// It does not outlive the story.
process.once('disconnect', () => process.exit())
await main(JSON.parse(process.argv[2] ?? '{}') as ChildOrder)
