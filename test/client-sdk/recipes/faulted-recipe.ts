import { type Client, NoNodeError } from '#client/index.js'
import { SessionScope } from '#client/recipes/index.js'
import { untilNames } from './recipe-kit.js'

/** One run of a recipe while a fault waits for it. */
export interface FaultedRun {
  /** Whom the fault strikes. */
  readonly client: Client
  /** Whom nothing happens to. */
  readonly other: Client
  /** Everything of this run is below it, and nothing of it may be left in the end. */
  readonly path: string
  /** Another client that nothing happens to; who asks for it closes it. */
  readonly connect: () => Promise<Client>
}

/** A recipe from its begin to its end. */
export interface FaultedRecipe {
  readonly name: string
  /** It goes on in the next session: the end of one is no reason to throw. */
  readonly outlivesSession?: true
  /**
   * Uses all of the recipe through `client`; what the recipe leaves on purpose it takes away by
   * `other`.
   *
   * @throws what the recipe throws, which after a fault may only be that its session has ended; an
   *   `Error` when the recipe ended in a state that it must not end in
   */
  run(faulted: FaultedRun): Promise<unknown>
}

/** Somebody has what the recipe waits for. @returns gives it back */
export type Hold = (client: Client, path: string) => Promise<() => Promise<unknown>>

/** A recipe that waits for what another has, who gives it back on seeing that it waits. */
export const contended = (
  name: string,
  hold: Hold,
  run: (client: Client, path: string, other: Client) => Promise<unknown>,
): FaultedRecipe => ({
  name,
  async run({ client, other, path }) {
    const directory = `${path}/contended`
    const release = await hold(other, directory)
    const held = (await other.list(directory).toArray()).length
    const running = run(client, directory, other)
    const joined = untilNames(other, directory, (names) => names.length > held)
    try {
      await Promise.race([running, joined])
    } finally {
      await release()
    }
    return running
  },
})

/** A write under a guard; it is above all runs, so that none of them leaves it behind. */
export const guardedWrite = (
  client: Client,
  guard: { readonly path: string; readonly czxid: number },
): Promise<unknown> =>
  client.transaction().add(guard).create('/written-', null, { kind: 'sequential' }).commit()

/** Whose first session is the one that the fault strikes. */
export const scopeOf = ({ client, connect }: FaultedRun): SessionScope => {
  const clients = [client]
  return new SessionScope(async () => clients.pop() ?? (await connect()), client.clock)
}

/** Resolves once both have settled. @throws what the first one has thrown, or else the second */
export const both = async <A>(first: Promise<A>, second: Promise<unknown>): Promise<A> => {
  const [one, two] = await Promise.allSettled([first, second])
  if (one.status === 'rejected') throw one.reason
  if (two.status === 'rejected') throw two.reason
  return one.value
}

/** Takes away what a recipe leaves on purpose. */
export const remove = async (client: Client, path: string): Promise<void> => {
  try {
    await client.delete(path)
  } catch (error) {
    if (!(error instanceof NoNodeError)) throw error
  }
}

export const demand = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}
