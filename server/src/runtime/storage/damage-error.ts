import type { Zxid } from '@conclave/protocol'

/**
 * The disk does not hold what was once durable on it. A server that started all the same could
 * lose committed txns, so it refuses.
 */
export class DamageError extends Error {
  override readonly name = 'DamageError'
  readonly file: string
  readonly offset: number
  /** The first zxid that cannot be relied on. */
  readonly zxid: Zxid

  constructor(place: { file: string; offset: number; zxid: Zxid }, reason: string) {
    super(
      `${place.file} is damaged at offset ${place.offset}, zxid ${place.zxid}: ${reason}. ` +
        'The server does not start with it: it could lose what was acknowledged. Way out: ' +
        'restore the directory from a backup, or move it aside to begin anew without its data.',
    )
    this.file = place.file
    this.offset = place.offset
    this.zxid = place.zxid
  }
}
