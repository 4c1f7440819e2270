/** The version of the client protocol that a `connect` frame names; another one is refused. */
export const protocolVersion = 1

/** The WebSocket subprotocol of the client port. */
export const clientSubprotocol = 'conclave.v1'

/** The version of what servers say to each other; another one is refused. */
export const peerProtocolVersion = 1

/** The WebSocket subprotocol of the peer port. */
export const peerSubprotocol = 'conclave-peer.v1'

/** The version of what a server writes to its data directory; another one is refused. */
export const dataVersion = 2

/** The digest's algorithm, named in the log and in snapshots: two digests of different ones
 * cannot be compared. */
export const digestAlgorithm = 2

export const defaultClientPort = 7400
export const defaultPeerPort = 7500
export const defaultAdminPort = 7600
