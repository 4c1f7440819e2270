/** What was typed, or stands in a file, is not what Conclave understands; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
