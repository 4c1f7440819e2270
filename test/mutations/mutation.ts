/** One line of source changed so that one rule breaks: the test of that rule must fail. */
export interface Mutation {
  readonly rule: string
  readonly file: string
  /** Stands exactly once in the file. */
  readonly before: string
  readonly after: string
  /** The compiled test that names the rule. */
  readonly test: string
  /** Of simulated worlds that show it, when the test takes seeds. */
  readonly seeds?: readonly number[]
}
