import type { Client } from '../client.js'
import { BadArgumentsError } from '../errors.js'
import type { ReadOptions, WaitOptions } from '../options.js'
import { SharedValue } from './shared-value.js'

/**
 * A whole number that many add to.
 *
 * Usage:
 *
 *     const jobs = new Counter(client, '/jobs/done')
 *     const { before, after } = await jobs.add(1)
 *
 * Dangers: as of `SharedValue`; each `add` is two requests and a write of the servers, so numbers
 * that only have to be unique are cheaper as the names of sequential creates.
 */
export class Counter {
  readonly #value: SharedValue<number>

  /** @param options `initial` counts while nobody has added; 0 by default */
  constructor(client: Client, path: string, options: { readonly initial?: number } = {}) {
    const initial = whole(options.initial ?? 0)
    this.#value = new SharedValue(client, path, { initial, as: wholeNumberText })
  }

  async get(options?: ReadOptions): Promise<number> {
    return (await this.#value.get(options)).value
  }

  /**
   * Adds a whole number, or with a negative one takes away.
   *
   * @returns what it was, and what it is: nobody else got the same step
   * @throws `BadVersionError` after 100 attempts; `BadArgumentsError` when the sum is no safe whole
   *   number
   */
  async add(
    amount: number,
    options?: WaitOptions,
  ): Promise<{ readonly before: number; readonly after: number }> {
    const step = whole(amount)
    const { value } = await this.#value.update((before) => whole(before + step), options)
    return { before: value - step, after: value }
  }

  /** The number now, and then each next one. A slow loop gets the latest. */
  async *values(options?: Pick<WaitOptions, 'signal'>): AsyncGenerator<number, void, undefined> {
    for await (const { value } of this.#value.values(options)) yield value
  }
}

const whole = (value: unknown): number => {
  if (Number.isSafeInteger(value)) return value as number
  throw new BadArgumentsError({ message: 'a counter counts in safe whole numbers' })
}

/** Whole numbers as text, as a counter keeps them. */
export const wholeNumberText = {
  encode: (value: number): Uint8Array => new TextEncoder().encode(String(value)),
  decode: (data: Uint8Array): number => whole(Number(new TextDecoder().decode(data) || 'none')),
}
