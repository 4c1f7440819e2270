/** A broken invariant: the process must not go on. Never used for what a client can cause. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** @throws InvariantError with the plain sentence that does not hold */
export function assert(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new InvariantError(sentence)
}

export const assertNever = (value: never): never => {
  throw new InvariantError(`unexpected variant ${JSON.stringify(value)}`)
}
