import type { NodeMetrics } from '#server/runtime/node.js'

/** Counts nothing. */
export const noMetrics: NodeMetrics = {
  received() {},
  sent() {},
  lost() {},
  heard() {},
  persisting: () => () => undefined,
  snapshotting: () => () => undefined,
}
