import type { Client } from '../client.js'
import { ConclaveError, FencedError } from '../errors.js'
import type { ReadOptions, WaitOptions } from '../options.js'
import { contend, listNames } from './contenders.js'
import { type Grant, sessionTie, type Tie, ZnodeGrant } from './grant.js'
import {
  type Held,
  holderName,
  type LeaseHolder,
  type LeaseOptions,
  replace,
  type Terms,
  termsOf,
  whenFree,
} from './lease-znode.js'
import { orAborted, within } from './waiting.js'
import { childPath, decodeOwner, removeGuarded, removeLater } from './znodes.js'

export type { LeaseHolder, LeaseOptions } from './lease-znode.js'

/** As of sessions: two clocks may drift five per cent each. */
const deadlineFraction = 0.9
const renewFraction = 1 / 3
const handoverMsDefault = 10_000

/**
 * An exclusive grant for a time, with a fencing token.
 *
 * Usage:
 *
 *     await using lease = await Lease.acquire(client, '/leases/range-42', {
 *       ttlMs: 9_000,
 *       renew: true,
 *     })
 *     await client.transaction().add(lease.guard).set('/ranges/42', data).commit()
 *
 * When it ends is decided by the servers alone. `signal` aborts earlier, after nine tenths of the
 * time since the last renewal was *sent*, and needs only a clock that runs, not one that is right.
 *
 * Dangers: as of every `Grant`; time with `ttlMs` is that of the leader's wall clock: one that is
 * ahead of its predecessor's ends leases early when it takes over, and then only `guard` and
 * `token` tell; with `ttlMs` a holder that crashes keeps others waiting.
 */
export class Lease implements Grant {
  readonly path: string
  readonly token: number
  readonly guard: Grant['guard']
  readonly signal: AbortSignal
  readonly #client: Client
  readonly #grant: ZnodeGrant
  readonly #terms: Terms
  #deadlineMs: number
  #stopDeadline: () => void = () => undefined
  #stopRenewal: () => void = () => undefined

  private constructor(client: Client, held: Held, terms: Terms) {
    this.#client = client
    this.#terms = terms
    this.#deadlineMs = Infinity
    this.#grant = new ZnodeGrant(client, held.guard, this.#tie())
    this.path = held.guard.path
    this.token = held.guard.czxid
    this.guard = held.guard
    this.signal = this.#grant.signal
    this.signal.addEventListener('abort', () => {
      this.#stopDeadline()
      this.#stopRenewal()
    })
    this.#renewed(held.sentMs)
  }

  /**
   * Waits, in the order of arrival, until the lease is granted.
   *
   * @param path of the lease, a directory of its own
   * @throws the signal's reason; a `DOMException` named `TimeoutError`; `BadArgumentsError`.
   *   Whatever it throws, nothing is left behind.
   * @example await using lease = await Lease.acquire(client, '/leases/range-42', { id: 'db-3' })
   */
  static async acquire(client: Client, path: string, options?: LeaseOptions): Promise<Lease> {
    const lease = await Lease.#take(client, path, { options, isPatient: true })
    if (lease !== null) return lease
    throw new Error('a patient contender was turned away')
  }

  /** As {@link acquire}, without waiting; null when somebody has the lease or waits for it. */
  static tryAcquire(client: Client, path: string, options?: LeaseOptions): Promise<Lease | null> {
    return Lease.#take(client, path, { options, isPatient: false })
  }

  /**
   * Takes over the lease whose token one was given by {@link transfer}, or kept over a restart. It
   * gets a new, higher token; the old one is fenced from now on.
   *
   * @throws `FencedError` when the lease of that token is gone; `BadArgumentsError`
   */
  static claim(
    client: Client,
    path: string,
    { token, ...options }: LeaseOptions & { readonly token: number },
  ): Promise<Lease> {
    const terms = termsOf(options)
    const from = { path: childPath(path, holderName), czxid: token }
    const { signal: given, timeoutMs } = options
    return within(client, { signal: given, timeoutMs }, async (signal) => {
      signal.throwIfAborted()
      const replacing = replace(client, from, terms)
      try {
        return new Lease(client, await orAborted(replacing, signal), terms)
      } catch (error) {
        // It may be done all the same, and then nobody would know of it.
        void replacing.then(({ guard }) => removeLater(client, guard)).catch(() => {})
        throw error
      }
    })
  }

  /**
   * An operator's word: the lease ends now, whoever has it. The holder's `signal` aborts as soon as
   * it is told; its guard and token are refused at once.
   *
   * @returns false when nobody had it
   * @throws `NoAuthError`
   */
  static async revoke(client: Client, path: string, options?: WaitOptions): Promise<boolean> {
    const at = childPath(path, holderName)
    const stat = await client.exists(at, options)
    if (stat === null) return false
    await removeGuarded(client, { path: at, czxid: stat.czxid })
    return true
  }

  /**
   * Who has the leases directly below a path; none when there is no such path.
   *
   * @example console.table(await Lease.holders(client, '/leases'))
   */
  static async holders(
    client: Client,
    parent: string,
    options: ReadOptions = {},
  ): Promise<readonly LeaseHolder[]> {
    const holders: LeaseHolder[] = []
    for (const name of await listNames(client, parent, options)) {
      const path = childPath(parent, name)
      const [read] = await client.multiRead([{ get: childPath(path, holderName) }], options)
      if (!read.ok) continue
      const { data, stat } = read.value
      const untilMs = stat.ttlMs === 0 ? null : stat.mtime + stat.ttlMs
      holders.push({ path, id: decodeOwner(data).id, token: stat.czxid, untilMs })
    }
    return holders
  }

  get isHeld(): boolean {
    return this.#grant.isHeld
  }

  /**
   * Begins the time of a lease with `ttlMs` anew; nothing changes for one of the session.
   *
   * @throws `FencedError` when the lease is gone
   */
  async renew(options?: WaitOptions): Promise<void> {
    const sentMs = this.#client.clock.nowMs()
    const again = this.#client.transaction().add(this.guard)
    try {
      await again.set(this.path, this.#terms.data).commit(options)
    } catch (error) {
      if (error instanceof FencedError) this.#grant.lose(error)
      throw error
    }
    this.#renewed(sentMs)
  }

  /**
   * Hands the lease over without a moment in which it is free: `signal` aborts, and whoever is told
   * the token that this returns can {@link claim} it.
   *
   * @param to who is to have it, for those who list holders
   * @param handoverMs how long it waits for the claim, in ms from 1,000; 10,000 by default
   * @returns the token to claim it by
   * @throws `FencedError` when the lease is gone
   */
  async transfer(to: string, handoverMs: number = handoverMsDefault): Promise<number> {
    const terms = termsOf({ id: to, ttlMs: handoverMs })
    this.#grant.lose(new DOMException('the lease was handed over', 'AbortError'))
    const { guard } = await replace(this.#client, this.guard, terms)
    return guard.czxid
  }

  release(): Promise<void> {
    return this.#grant.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  static #take(
    client: Client,
    path: string,
    about: { readonly options: LeaseOptions | undefined; readonly isPatient: boolean },
  ): Promise<Lease | null> {
    const terms = termsOf(about.options)
    const { signal: given, timeoutMs } = about.options ?? {}
    return within(client, { signal: given, timeoutMs }, async (signal) => {
      const waiting = { owner: { id: terms.id, data: null }, signal, isPatient: about.isPatient }
      const turn = await contend(client, { directory: path, kind: 'lock' }, waiting)
      if (turn === null) return null
      try {
        const held = await whenFree(client, path, { ...waiting, terms })
        return held === null ? null : new Lease(client, held, terms)
      } finally {
        // The next in the queue now waits for the lease itself.
        await turn.release()
      }
    })
  }

  #tie(): Tie {
    if (this.#terms.ttlMs === null) return sessionTie(this.#client)
    const isSafe = (): boolean => this.#client.clock.nowMs() < this.#deadlineMs
    return { isToSession: false, ephemeralOwner: 0, isSafe }
  }

  #renewed(sentMs: number): void {
    const { ttlMs, isRenewed } = this.#terms
    if (ttlMs === null || this.signal.aborted) return
    this.#stopDeadline()
    this.#stopRenewal()
    this.#deadlineMs = sentMs + ttlMs * deadlineFraction
    const message = 'the lease was not renewed in time: it may be gone'
    const { clock } = this.#client
    this.#stopDeadline = clock.timer(Math.max(0, this.#deadlineMs - clock.nowMs()), () =>
      this.#grant.lose(new FencedError({ path: this.path, message })),
    )
    if (isRenewed) this.#renewIn(ttlMs * renewFraction)
  }

  #renewIn(ms: number): void {
    this.#stopRenewal = this.#client.clock.timer(ms, () => this.#renewAlone())
  }

  /** A renewal that was refused for now is tried again; the deadline goes on. */
  #renewAlone(): void {
    void this.renew().catch((error: unknown) => {
      if (this.signal.aborted) return
      if (!(error instanceof ConclaveError) || error.retry !== 'later') this.#grant.lose(error)
      else this.#renewIn(retryMs)
    })
  }
}

const retryMs = 100
