import type { Logger } from 'pino'
import { type Accept, ClientListener } from './runtime/net/client-listener.js'
import { PeerLinks } from './runtime/net/peer-links.js'
import { openFilesAllowed, socketRoom } from './runtime/net/socket-room.js'
import { AdminListener } from './runtime/admin/admin-listener.js'
import { Metrics } from './runtime/admin/metrics.js'
import type { ServerState } from './runtime/admin/server-state.js'
import type { ServerSettings } from './server-options.js'
import { listenError, type ListenerPort } from './start-error.js'

/** What others reach a server by; it outlives the server's incarnations. */
export interface Listeners {
  readonly clients: ClientListener
  /** Null where there are no other servers. */
  readonly peers: PeerLinks | null
  readonly admin: AdminListener
  readonly metrics: Metrics
}

interface ListenerPorts {
  readonly accept: Accept
  readonly state: () => Promise<ServerState>
  readonly log: Logger
}

export const makeListeners = (
  settings: ServerSettings,
  { accept, state, log }: ListenerPorts,
): Listeners => {
  const { host, hosts, own, servers, secret, serverId, allowOrigins, connectionsMax } = settings
  const room = socketRoom(connectionsMax, openFilesAllowed())
  if (room.connectionsMax < connectionsMax) {
    log.warn({ ...room }, 'the system allows too few open files for all connections')
  }
  const names = [...hosts, host, own.host].map((name) => name.toLowerCase())
  const clients = new ClientListener({ allowOrigins, hosts: names, ...room }, accept, log)
  const addresses = servers.flatMap(({ peerPort, ...server }) =>
    peerPort === null ? [] : [{ ...server, peerPort }],
  )
  const peers =
    secret === null ? null : new PeerLinks({ serverId, servers: addresses, secret, log })
  const metrics = new Metrics(state)
  const admin = new AdminListener({ hosts: names, metrics, state })
  return { clients, peers, admin, metrics }
}

/** @throws StartError that names the port or the host */
export const listenOn = async (
  listener: { listen(address: { host: string; port: number }): Promise<number> },
  address: { readonly host: string; readonly port: number },
  option: ListenerPort,
): Promise<number> => {
  try {
    return await listener.listen(address)
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, address, option)
  }
}
