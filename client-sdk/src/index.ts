import { connectorFor, type Connect } from './connect.js'
import { nodePlatform } from './transport/node.js'

export * from './exports.js'

/**
 * Opens a session with an ensemble. The connect string names servers and, after them, the part of
 * the tree the client lives in.
 *
 * Rejects with `ConnectStringError` or `BadArgumentsError` at once, with `ConnectError` when no
 * server has answered within `connectTimeoutMs`, with `AuthFailedError`. Afterwards nothing ever
 * rejects because a connection was lost: calls wait until a server answers, or until the session
 * is gone.
 *
 * @example
 * await using client = await connect('conclave://10.0.0.1:7400,10.0.0.2:7400/orders', {
 *   sessionTimeoutMs: 10_000,
 *   auth: { scheme: 'digest', user: 'orders', password: process.env.ORDERS_PASSWORD },
 * })
 */
export const connect: Connect = connectorFor(nodePlatform)
