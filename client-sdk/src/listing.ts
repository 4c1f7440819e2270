import { limits, type Stat } from '@conclave/protocol'
import { oneShot, type OneShot } from './one-shot.js'
import type { ReadOptions, WatchOption } from './options.js'
import type { RequestContext } from './request-context.js'
import { isLinearizable } from './request-fields.js'

export interface ListOptions<S extends boolean, W extends boolean>
  extends ReadOptions, WatchOption<W> {
  /** Gives `{ name, stat }` instead of the name. */
  readonly withStat?: S | undefined
  /** How many children one request asks for, at most; 10,000 by default. */
  readonly pageSize?: number | undefined
}

/** A child as a listing gives it. */
export type Child<S extends boolean> = S extends true
  ? { readonly name: string; readonly stat: Stat }
  : string

/**
 * The children of a znode, asked for page by page while a loop runs; each loop starts anew.
 *
 * @example for await (const { name, stat } of client.list('/queue', { withStat: true })) { }
 */
export class Listing<S extends boolean> implements AsyncIterable<Child<S>> {
  readonly #context: RequestContext
  readonly #path: string
  readonly #options: ListOptions<S, boolean>
  readonly #watched: OneShot | null
  /** Only with `watch: true`: the first change after the first page of the first loop. */
  readonly changed?: OneShot['changed']

  /** @internal */
  constructor(context: RequestContext, path: string, options: ListOptions<S, boolean>) {
    this.#context = context
    this.#path = path
    this.#options = options
    this.#watched = options.watch === true ? oneShot(context.chroot, path) : null
    if (this.#watched !== null) this.changed = this.#watched.changed
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Child<S>, void, undefined> {
    const { withStat = false, pageSize = limits.childrenPageMax } = this.#options
    const path = this.#context.chroot.toServer(this.#path)
    const linearizable = isLinearizable(this.#options)
    let cursor: Uint8Array | null = null
    let isFirst = true
    do {
      const observer = isFirst ? (this.#watched?.observer ?? null) : null
      const page: Page = await this.#context.send(
        {
          op: 'getChildren',
          path,
          watch: observer !== null,
          // One barrier is enough: the later pages follow it.
          linearizable: linearizable && isFirst,
          cursor,
          limit: pageSize,
          withStat,
        },
        { path: this.#path, observer },
        this.#options,
      )
      for (const { name, stat } of page.children) {
        yield (withStat ? { name, stat } : name) as Child<S>
      }
      cursor = page.cursor
      isFirst = false
    } while (cursor !== null)
  }

  /** All children at once. The danger: a znode may have millions. */
  async toArray(): Promise<Child<S>[]> {
    const children: Child<S>[] = []
    for await (const child of this) children.push(child)
    return children
  }
}

interface Page {
  readonly children: readonly { readonly name: string; readonly stat: Stat | null }[]
  readonly cursor: Uint8Array | null
}
