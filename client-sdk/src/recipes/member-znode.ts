import type { Stat } from '@conclave/protocol'
import type { Client } from '../client.js'
import { BadVersionError, FencedError, NodeExistsError, NoNodeError } from '../errors.js'
import type { Guard, Transaction } from '../transaction.js'
import { decodeMember, encodeMember, mayFollow, type MemberRecord } from './member.js'
import { epochOf } from './membership-views.js'
import { Lookout, orAborted } from './waiting.js'
import { childPath, inDirectory, persistently, removeGuarded } from './znodes.js'

/** Where the members of a group are. */
export const membersOf = (group: string): string => childPath(group, 'members')

interface Entry {
  readonly id: string
  readonly data: unknown
  /** Does not wait for who has the id, but puts it out. */
  readonly isSuperseding: boolean
  readonly signal: AbortSignal
}

/** Waits until nobody has the id, and makes the znode of one who is joining. */
export const enter = async (client: Client, group: string, entry: Entry): Promise<Guard> => {
  const { signal } = entry
  const path = childPath(membersOf(group), entry.id)
  await using lookout = new Lookout(client, signal)
  for (;;) {
    const stat = await client.exists(path, { signal })
    if (stat === null) {
      const guard = await created(client, group, entry)
      if (guard !== null) return guard
    } else if (entry.isSuperseding) {
      await orAborted(removeGuarded(client, { path, czxid: stat.czxid }), signal)
      continue
    }
    await lookout.changed({ path })
  }
}

/** Null when another was faster. */
const created = async (
  client: Client,
  group: string,
  { id, data, signal }: Entry,
): Promise<Guard | null> => {
  const members = membersOf(group)
  const record = encodeMember({ state: 'joining', data })
  const options = { kind: 'ephemeral', withStat: true, signal } as const
  // With a directory that goes when it is empty, the epochs would begin anew.
  const directory = { path: members, wait: { signal }, kind: 'persistent' } as const
  try {
    const { path, stat } = await inDirectory(client, directory, () =>
      client.create(childPath(members, id), record, options),
    )
    return { path, czxid: stat.czxid }
  } catch (error) {
    if (error instanceof NodeExistsError) return null
    throw error
  }
}

/** How often a step begins again because somebody else wrote meanwhile. */
const attemptsMax = 100

/** The znode of one life of a member, as that member moves it from state to state. */
export class MemberZnode {
  readonly #client: Client
  readonly #group: string
  readonly #guard: Guard

  constructor(client: Client, group: string, guard: Guard) {
    this.#client = client
    this.#group = group
    this.#guard = guard
  }

  /**
   * One step, made only out of the very state that it was judged by.
   *
   * @returns the epoch that it began
   * @throws FencedError when this life is over, or there is no such step
   */
  step(change: Change): Promise<number> {
    return this.#compareAndSet(change, async (step) => {
      // The directory's own version counts the steps of all, and tells which one this was.
      const [, directory] = await step.set(membersOf(this.#group), null).commit()
      return epochOf(directory)
    })
  }

  /** The last step: it says so and goes, in one; the servers count that by themselves. */
  leave(): Promise<void> {
    const change: Change = ({ data }) => ({ state: 'left', data })
    return this.#compareAndSet(change, async (step) => {
      await step.delete(this.#guard.path).commit()
    })
  }

  async #compareAndSet<T>(
    change: Change,
    commit: (step: Transaction<[Stat]>) => Promise<T>,
  ): Promise<T> {
    const { path } = this.#guard
    for (let attempt = 1; ; attempt += 1) {
      const { before, version } = await this.#read()
      const after = change(before)
      if (!mayFollow(before.state, after.state)) {
        const message = `a member that is ${before.state} cannot become ${after.state}`
        throw new FencedError({ path, message })
      }
      const data = encodeMember(after)
      try {
        return await persistently(this.#client, () =>
          commit(this.#client.transaction().add(this.#guard).set(path, data, { version })),
        )
      } catch (error) {
        if (!(error instanceof BadVersionError) || attempt === attemptsMax) throw error
      }
    }
  }

  async #read(): Promise<{ readonly before: MemberRecord; readonly version: number }> {
    const { path, czxid } = this.#guard
    try {
      const { data, stat } = await this.#client.get(path)
      const before = decodeMember(data)
      if (before !== null && stat.czxid === czxid) return { before, version: stat.version }
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error
    }
    throw new FencedError({ path, message: 'this life of the member is over' })
  }
}

type Change = (record: MemberRecord) => MemberRecord
