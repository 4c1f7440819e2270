/** One hot function. */
export interface MicroCase {
  readonly name: string
  /** How many operations one call does. */
  readonly operations: number
  /** A promise is waited for. */
  run(): void | Promise<void>
}

/** Cases that share what they need. */
export interface MicroSuite {
  readonly name: string
  readonly cases: readonly MicroCase[]
  close(): Promise<void>
}

/** A suite that holds nothing open. */
export const suiteOf = (name: string, cases: readonly MicroCase[]): MicroSuite => ({
  name,
  cases,
  close: async () => undefined,
})
