import { Membership, type MembershipView } from '#client/recipes/index.js'
import { drawWait } from './holders.js'
import { groupPath } from './places.js'
import { aboutFor, type Activity, unless, untilEnough, type User } from './user.js'

/** Who may put each other out. */
const ids = ['a', 'b', 'c'] as const

/** Is a member for a while, follows the views, and leaves, or is put out. */
export const belong: Activity = async (user) => {
  const { client, random, sleep } = user
  const me = await Membership.join(client, groupPath, {
    ...drawWait(random),
    id: random.pick(ids),
    supersede: random.chance(0.3),
  })
  const following = follow(user, me.views())
  const living = (async () => {
    await sleep(random.exponential(1_000))
    if (random.chance(0.5)) await me.update(random.below(100))
    await sleep(random.exponential(1_000))
    if (random.chance(0.2)) await Membership.evict(client, me)
    else await me.leave({ drainMs: 2_000 })
  })()
  const [lived, followed] = await Promise.allSettled([living, following])
  await me.release()
  if (lived.status === 'rejected') throw lived.reason
  if (followed.status === 'rejected') throw followed.reason
}

/** Looks at the views of the group for a while, as none of it. */
export const observe: Activity = async (user) => {
  const signal = aboutFor(user, 3_000)
  await untilEnough(follow(user, Membership.views(user.client, groupPath, { signal })))
}

/** Whom the servers tell that they have forgotten some begins anew, another time. */
const follow = async (
  { name, oracles }: User,
  views: AsyncIterable<MembershipView<unknown>>,
): Promise<void> => {
  const following = async (): Promise<void> => {
    let before: number | null = null
    for await (const view of views) {
      oracles.views.saw(name, view, before)
      before = view.epoch
    }
  }
  await unless(['compacted'], following())
}
