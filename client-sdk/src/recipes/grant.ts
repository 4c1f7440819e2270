import type { Client } from '../client.js'
import { ClosedError, FencedError, SessionExpiredError } from '../errors.js'
import type { Guard } from '../transaction.js'
import { removeGuarded } from './znodes.js'

/**
 * Something held because a znode exists: a lock, a lease, leadership.
 *
 * The danger: code that runs while the process stood still cannot know that time has passed.
 * `signal` is for work that waits, `isHeld` for the moment before an act, and what must never
 * happen twice carries `guard` (inside Conclave) or `token` (outside).
 *
 * @example
 * await using lock = await new Mutex(client, '/locks/compaction').acquire()
 * await client.transaction().add(lock.guard).set('/shards/7', data).commit()
 */
export interface Grant extends AsyncDisposable {
  /** Of the znode that stands for it. */
  readonly path: string
  /** The czxid of that znode: higher for every later holder. For storage that checks tokens. */
  readonly token: number
  /** For transactions: they are refused with `FencedError` once the grant is gone. */
  readonly guard: Guard
  /** Aborts before anybody else can hold it; its reason says why. */
  readonly signal: AbortSignal
  /**
   * By the clock of this moment: false no later than `signal` would abort, though a process that
   * stood still was not told yet.
   */
  readonly isHeld: boolean
  /**
   * Gives it back: `signal` aborts, then the znode goes. A second call waits for the same end.
   * Quiet when it is lost already.
   *
   * @throws `NoAuthError`, when the znode may not be deleted
   */
  release(): Promise<void>
}

/** A grant by a znode of its own. */
export class ZnodeGrant implements Grant {
  readonly path: string
  readonly token: number
  readonly guard: Guard
  readonly signal: AbortSignal
  readonly #client: Client
  readonly #tie: Tie
  readonly #over = new AbortController()
  readonly #stopListening: () => void
  #removal: Promise<void> | null = null

  constructor(client: Client, guard: Guard, tie: Tie = sessionTie(client)) {
    this.#client = client
    this.#tie = tie
    this.path = guard.path
    this.token = guard.czxid
    this.guard = guard
    this.signal = this.#over.signal
    this.#stopListening = client.on('state', (change) => this.#judge(change))
    this.#judge({ state: client.state, deadlinePassed: !client.isSafe })
    void this.#watchOver()
  }

  get isHeld(): boolean {
    return !this.signal.aborted && this.#tie.isSafe()
  }

  release(): Promise<void> {
    this.lose(new DOMException('the grant was released', 'AbortError'))
    this.#removal ??= removeGuarded(this.#client, this.guard)
    return this.#removal
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** Counts it as lost, and leaves its znode as it is. */
  lose(reason: unknown): void {
    if (this.signal.aborted) return
    this.#stopListening()
    this.#over.abort(reason)
  }

  #judge({ state, deadlinePassed }: Standing): void {
    const { path } = this
    if (state === 'closed') this.lose(new ClosedError({ path }))
    else if (state === 'expired' || (deadlinePassed && this.#tie.isToSession)) {
      this.lose(new SessionExpiredError({ path, message: lossSentences[state] }))
    }
  }

  /** The first event, `caughtUp`, comes at once, and again after each reconnect. */
  async #watchOver(): Promise<void> {
    const { path, signal } = this
    try {
      // oxlint-disable-next-line no-unused-vars -- what happened is read anew
      for await (const _ of this.#client.watch(path, { signal })) {
        const stat = await this.#client.exists(path, { signal })
        if (stat?.czxid === this.token && stat.ephemeralOwner === this.#tie.ephemeralOwner) continue
        return this.lose(new FencedError({ path, message: 'the grant was taken away' }))
      }
    } catch (error) {
      this.lose(error)
    }
  }
}

/** Of the session. */
interface Standing {
  readonly state: Client['state']
  readonly deadlinePassed: boolean
}

/** What keeps a grant's znode alive. */
export interface Tie {
  readonly isToSession: boolean
  readonly ephemeralOwner: number
  isSafe(): boolean
}

export const sessionTie = (client: Client): Tie => ({
  isToSession: true,
  ephemeralOwner: client.sessionId,
  isSafe: () => client.isSafe,
})

const lossSentences: Readonly<Record<Standing['state'], string>> = {
  connected: 'no server has confirmed the session in time: the grant may be gone',
  suspended: 'no server has confirmed the session in time: the grant may be gone',
  expired: 'the session has expired, and the grant with it',
  closed: 'the client is closed',
}
