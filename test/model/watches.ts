import type { Identity, ServerFrameOf, WatchKind } from '@conclave/protocol'
import { grants } from './access.js'
import type { ModelEvent, Plain, State } from './tree.js'

export type WatchEvent = Plain<ServerFrameOf<'event'>>

/** One-shot watches, each as its kind and its path. */
export type Watches = Set<`${WatchKind} ${string}`>

/** True when a txn has an event for one of the watches that may not be told. */
export const withholds = (
  watches: Watches,
  { events }: State,
  identities: readonly Identity[],
): boolean =>
  events
    .filter(({ acl }) => !grants(acl, identities, 'read'))
    .some((event) => kindsOf(event).some((kind) => watches.has(`${kind} ${event.path}`)))

/** Takes away the watches that a txn fires. @returns what they say, in order */
export const fire = (
  watches: Watches,
  { zxid, events }: State,
  identities: readonly Identity[],
): WatchEvent[] =>
  events
    .filter(({ acl }) => grants(acl, identities, 'read'))
    .flatMap((event) => {
      const kinds = kindsOf(event).filter((kind) => watches.delete(`${kind} ${event.path}`))
      const { type, path } = event
      // A deleted znode is told once, also to who watched both its data and its children.
      return kinds.slice(0, 1).map((kind) => ({ frame: 'event' as const, zxid, kind, type, path }))
    })

const kindsOf = ({ type }: ModelEvent): readonly WatchKind[] => {
  if (type === 'childrenChanged') return ['child']
  return type === 'deleted' ? ['data', 'child'] : ['data']
}
