import { anything, checked, type Checks, duration, isBoolean, isFunction } from '../checked.js'
import type { Client } from '../client.js'
import { FencedError } from '../errors.js'
import { waitChecks, type WaitOptions } from '../options.js'
import type { Guard } from '../transaction.js'
import { Acknowledger, acknowledgementsOf, whenDrained } from './draining.js'
import { type Grant, ZnodeGrant } from './grant.js'
import type { Member } from './member.js'
import { enter, membersOf, MemberZnode } from './member-znode.js'
import { type MembershipView, viewsOf } from './membership-views.js'
import { orAborted, within } from './waiting.js'
import { nameOf, persistently, removeLater, unlessGone } from './znodes.js'

export type { Member, MemberState } from './member.js'
export type { MemberChange, MembershipView } from './membership-views.js'

export interface JoinOptions<D> extends WaitOptions {
  /** Who this is; at most one has it at a time. */
  readonly id: string
  /** What the others are to know of it, such as an address; as JSON of at most 16,000 bytes. */
  readonly data?: D | undefined
  /**
   * Puts an earlier life of the same id out at once, instead of waiting until its session ends. The
   * caller has to know that it is one: say, because it holds the lock of the data directory.
   */
  readonly supersede?: boolean | undefined
  /** What is to be done before it is active; when it throws, it has not joined. */
  readonly prepare?: ((joining: Membership<D>) => unknown) | undefined
}

const joinChecks: Checks<JoinOptions<unknown>> = {
  ...waitChecks,
  id: anything,
  data: anything,
  supersede: isBoolean,
  prepare: isFunction,
}

export interface LeaveOptions {
  /** How long it waits for the others, in ms; 30,000 by default. */
  readonly drainMs?: number | undefined
}

const leaveChecks: Checks<LeaveOptions> = { drainMs: duration }
const drainMsDefault = 30_000

/**
 * Who is in the group, in which state: the same sequence of views for everybody.
 *
 * Usage:
 *
 *     const me = await Membership.join(client, '/cluster', { id: 'db-3', data: { address } })
 *     for await (const view of me.views({ signal })) await rebalance(view)
 *     await me.leave()
 *
 * A member is one ephemeral. So the servers themselves say that it has failed, by the one txn that
 * ends its session: nobody has to notice it, nobody writes it down, and it cannot both leave and
 * fail. Its czxid is the generation: who comes back is never taken for its past self, and what its
 * past self still sends under its guard is refused.
 *
 * To ask for the next view is to have dealt with this one: who leaves is first `leaving`, and goes
 * when every other loop over the views of its own membership has got past that.
 *
 * Dangers: as of every `Grant`; who fails is noticed when its session times out; a loop that does
 * not go on keeps those who leave for as long as they wait. `data` is what a member wrote, not
 * checked. The directory of members is persistent: with it the epochs would begin anew.
 */
export class Membership<D = unknown> implements Grant {
  readonly id: string
  readonly path: string
  /** Its generation. */
  readonly token: number
  readonly guard: Guard
  readonly signal: AbortSignal
  readonly #client: Client
  readonly #group: string
  readonly #grant: ZnodeGrant
  readonly #znode: MemberZnode
  readonly #isHurried = new AbortController()
  readonly #departure = new DOMException('the member has left', 'AbortError')
  #leaving: Promise<boolean> | null = null

  private constructor(client: Client, group: string, guard: Guard) {
    this.#client = client
    this.#group = group
    this.#grant = new ZnodeGrant(client, guard)
    this.#znode = new MemberZnode(client, group, guard)
    this.id = guard.path.slice(guard.path.lastIndexOf('/') + 1)
    this.path = guard.path
    this.token = guard.czxid
    this.guard = guard
    this.signal = this.#grant.signal
    this.signal.addEventListener('abort', () => this.#hasEnded())
    if (this.signal.aborted) this.#hasEnded()
  }

  /**
   * Becomes a member: `joining` while it prepares, then `active`. While another has the id, also an
   * earlier life of this one whose session has not ended yet, it waits.
   *
   * @param path of the group
   * @throws the signal's reason; a `DOMException` named `TimeoutError`; `FencedError` when it was
   *   evicted meanwhile; what `prepare` throws; `BadArgumentsError`, `TooLargeError`. Whatever it
   *   throws, nothing is left behind.
   */
  static async join<D = unknown>(
    client: Client,
    path: string,
    options: JoinOptions<D>,
  ): Promise<Membership<D>> {
    const checks: Checks<JoinOptions<D>> = joinChecks
    const { signal: given, timeoutMs, prepare, ...rest } = checked(options, checks)
    const id = nameOf(rest.id, 'the option id')
    const entry = { id, data: rest.data, isSuperseding: rest.supersede === true }
    return within(client, { signal: given, timeoutMs }, async (signal) => {
      const guard = await enter(client, path, { ...entry, signal })
      const membership = new Membership<D>(client, path, guard)
      try {
        if (prepare !== undefined) await orAborted(Promise.resolve(prepare(membership)), signal)
        const activating = membership.#znode.step((record) => ({ ...record, state: 'active' }))
        await orAborted(activating, signal)
        return membership
      } catch (error) {
        // It has never been one who could leave.
        membership.#grant.lose(error)
        throw error
      }
    })
  }

  /**
   * The views of a group for one who is no member: as {@link views}, and nobody waits for it.
   *
   * @example for await (const view of Membership.views(client, '/cluster')) console.log(view.epoch)
   */
  static async *views<D = unknown>(
    client: Client,
    path: string,
    options: Pick<WaitOptions, 'signal'> = {},
  ): AsyncGenerator<MembershipView<D>, void, undefined> {
    const signal = options.signal ?? new AbortController().signal
    yield* viewsOf<D>(client, membersOf(path), signal)
  }

  /**
   * Puts a member out, as one that has failed: by the word of an operator, or of others who cannot
   * reach it though its session lives. Its guard is refused at once, its signal aborts when it is
   * told, and nobody else is meant who has the same id.
   *
   * @returns false when that generation was gone already
   * @throws `NoAuthError`
   * @example
   * const member = view.members.get('db-3')
   * if (member !== undefined) await Membership.evict(client, member)
   */
  static async evict(
    client: Client,
    member: Pick<Member<unknown>, 'guard'>,
    options?: WaitOptions,
  ): Promise<boolean> {
    const { guard } = member
    const evicting = client.transaction().add(guard).delete(guard.path)
    try {
      await persistently(client, () => evicting.commit(options))
      return true
    } catch (error) {
      if (error instanceof FencedError) return false
      throw error
    }
  }

  get isHeld(): boolean {
    return this.#grant.isHeld
  }

  /**
   * The views of the group, from the present one on: each next epoch once, in order.
   *
   * @returns ends quietly once it has left, or the client is closed; the loop throws the reason of
   *   this membership's `signal` or of the one given, `SessionExpiredError`, and `CompactedError`
   *   when it was so slow that the servers have forgotten what it had to be told: begin anew
   */
  async *views(
    options: Pick<WaitOptions, 'signal'> = {},
  ): AsyncGenerator<MembershipView<D>, void, undefined> {
    const given = options.signal === undefined ? [] : [options.signal]
    const signal = AbortSignal.any([this.signal, ...given])
    try {
      yield* this.#acknowledged(signal)
    } catch (error) {
      if (error !== this.#departure) throw error
    }
  }

  /**
   * Says something else of itself.
   *
   * @throws `FencedError` when it is no member any more; `TooLargeError`
   */
  async update(data: D): Promise<void> {
    await this.#znode.step((record) => ({ ...record, data }))
  }

  /**
   * Leaves: it is `leaving`, while the others deal with that, and then `left`. A second call waits
   * for the same end.
   *
   * @returns whether all others had dealt with it when it went; false when `drainMs` was over
   * @throws `FencedError` or `SessionExpiredError` when it has failed before it had left
   */
  async leave(options?: LeaveOptions): Promise<boolean> {
    const { drainMs = drainMsDefault } = checked(options, leaveChecks)
    this.#leaving ??= this.#leave(drainMs)
    return this.#leaving
  }

  /** Leaves without waiting for anybody. Quiet when it has left or failed already. */
  async release(): Promise<void> {
    this.#isHurried.abort()
    await unlessGone(this.#client, () => this.leave({ drainMs: 0 }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** Who counts itself out, its deadline being past, is out, though its session may live on. */
  #hasEnded(): void {
    if (this.signal.reason !== this.#departure) removeLater(this.#client, this.guard)
  }

  async *#acknowledged(signal: AbortSignal): AsyncGenerator<MembershipView<D>, void, undefined> {
    signal.throwIfAborted()
    const directory = acknowledgementsOf(this.#group)
    const own = { generation: this.token, signal }
    const acknowledger = await Acknowledger.begin(this.#client, directory, own)
    try {
      let isFirst = true
      for await (const view of viewsOf<D>(this.#client, membersOf(this.#group), signal)) {
        yield view
        if (hasNewLeaver(view, isFirst)) await acknowledger.upTo(view.epoch)
        isFirst = false
      }
    } finally {
      acknowledger.end()
    }
  }

  async #leave(drainMs: number): Promise<boolean> {
    const epoch = await this.#znode.step(({ data }) => ({ state: 'leaving', data }))
    const over = new AbortController()
    const stop = this.#client.clock.timer(drainMs, () => over.abort())
    const signal = AbortSignal.any([over.signal, this.signal, this.#isHurried.signal])
    try {
      const own = { epoch, generation: this.token, signal }
      return await whenDrained(this.#client, acknowledgementsOf(this.#group), own)
    } finally {
      stop()
      this.#grant.lose(this.#departure)
      await this.#znode.leave()
    }
  }
}

/** Whether somebody begins to leave in it. */
const hasNewLeaver = <D>({ members, changes }: MembershipView<D>, isFirst: boolean): boolean =>
  isFirst
    ? [...members.values()].some(({ state }) => state === 'leaving')
    : changes.some(({ from, member }) => member.state === 'leaving' && from !== 'leaving')
