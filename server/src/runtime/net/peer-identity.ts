import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { peerProtocolVersion, type ServerId, type Secret } from '@conclave/protocol'
import { pack } from '@conclave/protocol/codec'
import type { GreetingFrameOf, PeerRefusal } from '@conclave/protocol/peer'

/** What a server is to the other ones of its ensemble. */
export interface PeerIdentity {
  readonly serverId: ServerId
  /** All of them, this one too. */
  readonly servers: readonly { readonly id: number; readonly role: string }[]
  readonly secret: Secret
  /** Null while it knows of none. */
  readonly ensembleId: string | null
}

type Introduction = Omit<GreetingFrameOf<'greeting'>, 'frame'>
type Hello = GreetingFrameOf<'hello'>

/** SHA-256 over ids and roles in order of the ids; addresses may change. */
export const serversHash = (servers: PeerIdentity['servers']): Uint8Array => {
  const sorted = servers.map(({ id, role }) => [id, role] as const).sort(([a], [b]) => a - b)
  return new Uint8Array(createHash('sha256').update(JSON.stringify(sorted)).digest())
}

export const introduce = (identity: PeerIdentity, challenge: Uint8Array): Introduction => ({
  version: peerProtocolVersion,
  from: identity.serverId,
  challenge,
  ensembleId: identity.ensembleId,
  serversHash: serversHash(identity.servers),
})

/** Who proves it: the proof of one is none of the other. */
type Prover = 'dialler' | 'dialled'

/**
 * HMAC-SHA-256 over who proves it and all that both have said. Each side's challenge is fresh, so
 * what was recorded proves nothing later; MessagePack makes no two lists of values the same bytes.
 */
export const proofOf = (
  prover: Prover,
  secret: Secret,
  greeting: Introduction,
  hello: Introduction & { readonly to: ServerId },
): Uint8Array => {
  const said = [prover, ...valuesOf(greeting), hello.to, ...valuesOf(hello)]
  return new Uint8Array(createHmac('sha256', secret.reveal()).update(pack(said)).digest())
}

const valuesOf = ({ version, from, challenge, ensembleId, serversHash: hash }: Introduction) => [
  version,
  from,
  challenge,
  ensembleId,
  hash,
]

/** Takes the same time wherever two proofs differ. */
export const isSameProof = (a: Uint8Array, b: Uint8Array): boolean => timingSafeEqual(a, b)

/** @returns why the server that answered the greeting with this hello is not let in, or null */
export const judgeHello = (
  identity: PeerIdentity,
  greeting: Introduction,
  hello: Hello,
): PeerRefusal | null => {
  const { serverId, secret, servers } = identity
  if (hello.version !== greeting.version) return 'otherVersion'
  // Whoever does not know the secret learns of nothing else.
  if (!isSameProof(hello.proof, proofOf('dialler', secret, greeting, hello))) return 'wrongSecret'
  if (hello.from === serverId) return 'ownId'
  if (hello.to !== serverId) return 'wrongServer'
  if (!servers.some(({ id }) => id === hello.from)) return 'unknownId'
  if (hello.from < serverId) return 'wrongDirection'
  if (!isSameProof(hello.serversHash, greeting.serversHash)) return 'otherServers'
  const { ensembleId } = greeting
  const areOfTwo = ensembleId !== null && hello.ensembleId !== null
  return areOfTwo && ensembleId !== hello.ensembleId ? 'otherEnsemble' : null
}

/** For the logs of both sides. */
export const refusalSentences: Readonly<Record<PeerRefusal, string>> = {
  malformed: 'what was said is not the peer protocol',
  otherVersion: 'the two servers speak different versions of the peer protocol',
  wrongSecret: 'the two servers have different secrets',
  wrongServer: 'another server than the one that was meant listens at this address',
  ownId: 'the two servers have the same serverId',
  unknownId: 'the serverId is not in the list of servers',
  wrongDirection: 'the server with the higher id dials, not the one with the lower',
  otherServers: 'the two servers have different lists of servers',
  otherEnsemble: 'the two servers hold the data of different ensembles',
  duplicateId: 'a live server with the same serverId is connected',
  restarting: 'the server is reading its data again',
}
