import { isDeepStrictEqual } from 'node:util'

/** The server did what the model does not allow. */
export class Disagreement extends Error {}

export const agree = (holds: boolean, what: () => string): void => {
  if (!holds) throw new Disagreement(what())
}

export const same = (actual: unknown, expected: unknown, what: string): void => {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Disagreement(`${what}\n  server: ${shown(actual)}\n  model:  ${shown(expected)}`)
}

export const shown = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    inner instanceof Uint8Array
      ? `<${Buffer.from(inner.subarray(0, 4)).toString('latin1')}>`
      : inner,
  )
