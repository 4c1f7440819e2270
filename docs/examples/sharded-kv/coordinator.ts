import { type Client, json } from '@conclave/client'
import type { Leadership, Membership } from '@conclave/client/recipes'
import { type Assignment, paths, shards } from './cluster.js'

/**
 * The work of the one node that was elected: with every change of the membership it decides anew
 * which node is to serve which shard. Its guard is in every write, so a coordinator that was
 * deposed without noticing cannot overrule the next one.
 */
export const coordinate = async (
  client: Client,
  me: Membership,
  { guard, signal }: Leadership,
): Promise<void> => {
  for await (const { members } of me.views({ signal })) {
    const active = [...members.values()].filter(({ state }) => state === 'active')
    const { data: now } = await client.get(paths.assignment, { as: json<Assignment>() })
    const next = assign(now, active.map(({ id }) => id).sort())
    await client.transaction().add(guard).set(paths.assignment, next, { as: json }).commit()
  }
}

/** Every node gets its share, and nothing moves that need not. */
export const assign = (now: Assignment, nodes: readonly string[]): Assignment => {
  const share = Math.ceil(shards.length / Math.max(1, nodes.length))
  const counts = new Map(nodes.map((id) => [id, 0]))
  const next: Record<number, string> = {}
  const give = (shard: number, id: string): void => {
    next[shard] = id
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  for (const shard of shards) {
    const id = now[shard]
    if (id !== undefined && (counts.get(id) ?? share) < share) give(shard, id)
  }
  for (const shard of shards.filter((one) => next[one] === undefined)) {
    const [least] = [...counts].sort(([, a], [, b]) => a - b)
    if (least !== undefined) give(shard, least[0])
  }
  return next
}
