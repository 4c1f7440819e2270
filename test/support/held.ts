import { type Client, ConclaveError, type Guard } from '#client/index.js'
import { wholeNumberText } from '#client/recipes/counter.js'
import { Election, type Grant, Lease, Mutex } from '#client/recipes/index.js'

/** The ways to be the only one. */
export const heldKinds = ['election', 'mutex', 'lease', 'timed lease'] as const
export type HeldKind = (typeof heldKinds)[number]

export interface Holding {
  readonly kind: HeldKind
  /** Of the election, lock or lease. */
  readonly path: string
  /** A znode that only its holder writes, with the token. */
  readonly value: string
}

/** What is held, however it was come by. */
export interface Held {
  readonly client: Client
  readonly token: number
  readonly guard: Guard
  isHeld(): boolean
  release(): Promise<unknown>
}

/** After so long in silence a session is over; a timed lease after twice that. */
export const lifetimeMs = 1_000

export const hold = async (client: Client, { kind, path }: Holding): Promise<Held> => {
  switch (kind) {
    case 'election':
      return leadership(client, path)
    case 'mutex':
      return held(client, await new Mutex(client, path).acquire())
    case 'lease':
      return held(client, await Lease.acquire(client, path))
    case 'timed lease':
      return held(client, await Lease.acquire(client, path, { ttlMs: 2 * lifetimeMs, renew: true }))
  }
}

const held = (client: Client, grant: Grant): Held => {
  const { token, guard } = grant
  return { client, token, guard, isHeld: () => grant.isHeld, release: () => grant.release() }
}

const leadership = (client: Client, path: string): Promise<Held> =>
  new Promise((resolve, reject) => {
    const leading: Promise<void> = new Election(client, path).lead(
      (leader) =>
        new Promise<void>((settle) => {
          const release = (): Promise<void> => {
            settle()
            return leading
          }
          const { token, guard } = leader
          resolve({ client, token, guard, isHeld: () => leader.isLeader, release })
        }),
    )
    leading.catch(reject)
  })

/** What became of a write. */
export interface Written {
  /** `done`, or the code with which it was refused. */
  readonly outcome: string
  /** Null unless it was done. */
  readonly zxid: number | null
}

/** Writes the token under the guard; the request is made before this returns. */
export const writeToken = async (
  { client, guard, token }: Held,
  value: string,
): Promise<Written> => {
  try {
    const writing = client.transaction().add(guard).set(value, token, { as: wholeNumberText })
    const [{ mzxid }] = await writing.commit()
    return { outcome: 'done', zxid: mzxid }
  } catch (error) {
    return { outcome: error instanceof ConclaveError ? error.code : String(error), zxid: null }
  }
}
