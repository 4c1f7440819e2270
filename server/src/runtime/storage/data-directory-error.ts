export type DataDirectoryProblem =
  | 'otherVersion'
  | 'foreign'
  | 'noPermission'
  | 'notDirectory'
  | 'locked'
  | 'noSpace'
  /** No other server has what is in it. */
  | 'alone'
  | 'unreadable'

/** The data directory cannot be used; the message is one sentence that says what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
  readonly problem: DataDirectoryProblem

  constructor(problem: DataDirectoryProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.problem = problem
  }
}
