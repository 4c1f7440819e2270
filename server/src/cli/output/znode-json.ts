import type { Stat } from '@conclave/client'

/** A stat for programs: its fields under their own names, without those that mean nothing here. */
export const statJson = (stat: Stat) => {
  const { ttlMs, ephemeralOwner, ...rest } = stat
  return {
    ...rest,
    ...(stat.kind === 'ephemeral' ? { ephemeralOwner } : {}),
    ...(stat.kind === 'ttl' ? { ttlMs } : {}),
  }
}
