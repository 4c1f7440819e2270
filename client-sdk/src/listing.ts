import { limits, type OpResult, type Stat } from '@conclave/protocol'
import { checked, type Checks, isBoolean, wholeNumber } from './checked.js'
import { oneShot, type OneShot } from './one-shot.js'
import {
  isLinearizable,
  readChecks,
  type ReadOptions,
  watchChecks,
  type WatchOption,
} from './options.js'
import { pages } from './paging.js'
import type { RequestContext } from './request-context.js'

export interface ListOptions<S extends boolean, W extends boolean>
  extends ReadOptions, WatchOption<W> {
  /** Gives `{ name, stat }` instead of the name. */
  readonly withStat?: S | undefined
  /** How many children one request asks for, at most: 1 to 10,000; 10,000 by default. */
  readonly pageSize?: number | undefined
}

const listChecks: Checks<ListOptions<boolean, boolean>> = {
  ...readChecks,
  ...watchChecks,
  withStat: isBoolean,
  pageSize: wholeNumber(1, limits.childrenPageMax),
}

/** A child as a listing gives it. */
export type Child<S extends boolean> = S extends true
  ? { readonly name: string; readonly stat: Stat }
  : string

/**
 * The children of a znode, asked for page by page while a loop runs; each loop starts anew. What is
 * wrong with the arguments is thrown by the loop, too.
 *
 * @example for await (const { name, stat } of client.list('/queue', { withStat: true })) { }
 */
export class Listing<S extends boolean> implements AsyncIterable<Child<S>> {
  readonly #context: RequestContext
  readonly #path: string
  readonly #options: ListOptions<S, boolean> | undefined
  readonly #watched: OneShot | null
  #isWatchSet = false
  /**
   * Only with `watch: true`: the first change after the first page of the first loop. Rejects with
   * the error when there is no such page; until there is a loop it waits.
   */
  readonly changed?: OneShot['changed']

  /** @internal */
  constructor(context: RequestContext, path: string, options: ListOptions<S, boolean> | undefined) {
    this.#context = context
    this.#path = path
    this.#options = options
    this.#watched = options?.watch === true ? oneShot(context.chroot, path) : null
    if (this.#watched !== null) this.changed = this.#watched.changed
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Child<S>, void, undefined> {
    for await (const page of this.#pages()) yield* page
  }

  /** All children at once. The danger: a znode may have millions. */
  async toArray(): Promise<Child<S>[]> {
    const all: Child<S>[][] = []
    // Not child by child: each would be a promise.
    for await (const page of this.#pages()) all.push(page)
    return all.flat()
  }

  async *#pages(): AsyncGenerator<Child<S>[], void, undefined> {
    const watched = this.#isWatchSet ? null : this.#watched
    this.#isWatchSet = true
    const ask = (cursor: Uint8Array | null): Promise<Page> =>
      this.#page(cursor, cursor === null ? watched : null)
    for await (const { children } of pages(ask)) {
      const isWithStat = this.#options?.withStat === true
      yield children.map(({ name, stat }) => (isWithStat ? { name, stat } : name) as Child<S>)
    }
  }

  async #page(cursor: Uint8Array | null, watched: OneShot | null): Promise<Page> {
    try {
      const given = checked(this.#options, listChecks)
      const { withStat = false, pageSize: limit = limits.childrenPageMax } = given
      const path = this.#context.chroot.toServer(this.#path)
      // One barrier is enough: the later pages follow it.
      const linearizable = isLinearizable(given) && cursor === null
      const watch = watched !== null
      const observer = watched?.observer ?? null
      return await this.#context.send(
        { op: 'getChildren', path, watch, linearizable, cursor, limit, withStat },
        { path: this.#path, observer },
        given,
      )
    } catch (error) {
      watched?.fail(error)
      throw error
    }
  }
}

type Page = OpResult<'getChildren'>
