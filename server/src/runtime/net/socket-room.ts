import { limits } from '@conclave/protocol'

/** How many sockets the client port may have. */
export interface SocketRoom {
  /** Client connections, as far as they have become WebSocket. */
  readonly connectionsMax: number
  /** Those and what is on its way to become one, or on its way out. */
  readonly socketsMax: number
}

/**
 * Sockets and files come out of one purse. Whoever opens sockets until it is empty must not keep
 * the log from its next segment, which would end the server: some of it is left for files.
 *
 * @param wanted connections, as configured
 * @param openFilesMax what the system allows this process
 */
export const socketRoom = (wanted: number, openFilesMax: number): SocketRoom => {
  const room = Math.max(openFilesMax - limits.openFilesReserved, 8)
  const socketsMax = Math.min(wanted + limits.handshakesMax, room)
  // Who comes when all connections are taken still needs a socket to be told so.
  return { connectionsMax: Math.min(wanted, Math.floor((socketsMax * 7) / 8)), socketsMax }
}

/** As the system has it for this process; no bound where the system has none. */
export const openFilesAllowed = (): number => {
  const { report } = process
  if (report === undefined) return Number.MAX_SAFE_INTEGER
  // Otherwise it would look up the names of all peers.
  Object.assign(report, { excludeNetwork: true })
  const { userLimits } = report.getReport() as ProcessReport
  const soft = userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : Number.MAX_SAFE_INTEGER
}

interface ProcessReport {
  readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } }
}
