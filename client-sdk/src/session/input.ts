import type { Op, ServerFrame, StreamPosition, Secret } from '@conclave/protocol'

/**
 * All that ever enters the session machine. `Token` is whatever the caller knows its call, its
 * watch or its stream by; the machine only hands it back.
 */
export type Input<Token> =
  /** Monotonic. Step one before every other input that time matters to. */
  | { readonly input: 'tick'; readonly nowMs: number }
  | { readonly input: 'opened'; readonly connection: number }
  | { readonly input: 'frame'; readonly connection: number; readonly frame: ServerFrame }
  | Lost
  | Submit<Token>
  /** The caller has given up. A write stays, unacknowledged, until its outcome is known. */
  | { readonly input: 'abort'; readonly token: Token }
  | OpenStream<Token>
  /** The consumer is slow: nothing more, until it is resumed where it stopped. */
  | { readonly input: 'pauseStream'; readonly token: Token }
  | { readonly input: 'resumeStream'; readonly token: Token }
  | { readonly input: 'closeStream'; readonly token: Token }
  | { readonly input: 'close'; readonly timeoutMs: number }
  /** Give up at once, tell nobody. */
  | { readonly input: 'abandon'; readonly reason: string }

interface Lost {
  readonly input: 'lost'
  readonly connection: number
  readonly reason: string
  /** Because a message came that is larger than any may be. */
  readonly isTooLarge?: boolean
}

export interface Submit<Token> {
  readonly input: 'submit'
  readonly token: Token
  /** An `auth` carries its password in `secret`, not in the op. */
  readonly op: Op
  readonly secret?: Secret
  /** Whether an `abort` may follow; only then the token is remembered for it. */
  readonly abortable?: boolean
}

export interface OpenStream<Token> {
  readonly input: 'openStream'
  readonly token: Token
  readonly path: string
  readonly recursive: boolean
  readonly withDetail: boolean
  readonly from: StreamPosition | null
}

export interface DigestIdentity {
  readonly scheme: 'digest'
  readonly user: string
  readonly password: Secret
}
