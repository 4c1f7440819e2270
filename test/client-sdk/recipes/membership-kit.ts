import type { Member, MembershipView } from '#client/recipes/index.js'

/** Where the members of the group `/cluster` are. */
export const members = '/cluster/members'

/** What has changed, as words. */
export const said = ({ changes }: MembershipView<unknown>): string =>
  changes.map(({ from, member }) => `${member.id} ${from} ${member.state}`).join()

/** All of a view, to be compared. */
export const show = ({ epoch, members: present, changes }: MembershipView<unknown>): string =>
  JSON.stringify([epoch, [...present], changes])

/** The views of a loop, taken as they come, until one is as wanted. */
export const takeUntil = async (
  views: AsyncIterator<MembershipView<unknown>, void>,
  isWanted: (view: MembershipView<unknown>) => boolean,
): Promise<readonly MembershipView<unknown>[]> => {
  const taken: MembershipView<unknown>[] = []
  for (;;) {
    const { value } = await views.next()
    if (value === undefined) throw new Error('the loop has ended')
    taken.push(value)
    if (isWanted(value)) return taken
  }
}

/** A view in which the member has just become so. */
export const has =
  (id: string, state: Member<unknown>['state']) =>
  ({ changes }: MembershipView<unknown>): boolean =>
    changes.some(({ member }) => member.id === id && member.state === state)
