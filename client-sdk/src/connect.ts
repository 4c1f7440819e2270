import { limits } from '@conclave/protocol'
import { Chroot } from './chroot.js'
import { Client } from './client.js'
import { parseConnectString } from './connect-string.js'
import { BadArgumentsError, ConnectError, errorOf, SessionExpiredError } from './errors.js'
import { type AuthOptions, identityOf } from './identity.js'
import { IdentityRefused, SessionRunner } from './session/runner.js'
import type { Platform } from './transport/transport.js'

export interface ConnectOptions {
  /**
   * How long the session, and with it every ephemeral, outlives the last word from this client:
   * 1,000 to 60,000 ms, 10,000 by default. The servers may narrow it.
   */
  readonly sessionTimeoutMs?: number | undefined
  /** How long to look for a server that answers; 10,000 ms by default. */
  readonly connectTimeoutMs?: number | undefined
  readonly auth?: AuthOptions | readonly AuthOptions[] | undefined
  /** Gives up connecting; has no effect on the client afterwards. */
  readonly signal?: AbortSignal | undefined
}

export type Connect = (connectString: string, options?: ConnectOptions) => Promise<Client>

const connectTimeoutMsDefault = 10_000
const timerMsMax = 2_147_483_647

/** `connect` for one place: Node, a browser, or a test with a clock and a network of its own. */
export const connectorFor =
  (platform: Platform): Connect =>
  async (connectString, options = {}) => {
    const { servers, chroot } = parseConnectString(connectString)
    const { sessionTimeoutMs, connectTimeoutMs, identities, signal } = checked(options)
    signal?.throwIfAborted()
    const seed = new DataView(platform.randomBytes(4).buffer).getUint32(0)
    const nonce = platform.randomBytes(limits.nonceBytes)
    const runner = new SessionRunner(
      { servers, nonce, sessionTimeoutMs, identities, seed },
      platform,
    )
    const giveUp = (): void => runner.abandon('connecting was given up')
    let late: Error | null = null
    const cancelTimer = platform.timer(connectTimeoutMs, () => {
      late = noAnswer(runner.reasons, connectTimeoutMs)
      giveUp()
    })
    signal?.addEventListener('abort', giveUp)
    try {
      await runner.start()
    } catch (error) {
      giveUp()
      signal?.throwIfAborted()
      if (error instanceof IdentityRefused) throw refusalOf(error)
      if (late !== null) throw late as Error
      const reason = error instanceof Error ? error.message : String(error)
      throw new SessionExpiredError({ message: reason, cause: error })
    } finally {
      cancelTimer()
      signal?.removeEventListener('abort', giveUp)
    }
    return new Client(runner, new Chroot(chroot))
  }

const refusalOf = ({ refusal: { user, failure } }: IdentityRefused): Error => {
  const message = `the servers refused the identity digest:${user}: ${failure.message}`
  return errorOf({ ...failure, message })
}

const noAnswer = (reasons: ReadonlyMap<string, string>, connectTimeoutMs: number): Error => {
  const tried = [...reasons].map(([server, reason]) => `${server} (${reason})`).join(', ')
  const message = `no server answered within ${connectTimeoutMs} ms: ${tried}`
  return new ConnectError({ message })
}

const known = ['sessionTimeoutMs', 'connectTimeoutMs', 'auth', 'signal'] as const
const isKnown = (name: string): boolean => (known as readonly string[]).includes(name)

const checked = (options: ConnectOptions) => {
  const unknown = Object.keys(options).find((name) => !isKnown(name))
  if (unknown !== undefined) {
    const message = `there is no option ${unknown}; there are ${known.join(', ')}`
    throw new BadArgumentsError({ message })
  }
  const { auth = [], signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new BadArgumentsError({ message: 'the option signal is an AbortSignal' })
  }
  const identities = (
    Array.isArray(auth) ? (auth as readonly AuthOptions[]) : [auth]
  ) as readonly AuthOptions[]
  if (identities.length > limits.identitiesMax) {
    throw new BadArgumentsError({ message: `at most ${limits.identitiesMax} identities` })
  }
  return {
    sessionTimeoutMs: milliseconds('sessionTimeoutMs', options.sessionTimeoutMs, {
      min: limits.sessionTimeoutMsMin,
      max: limits.sessionTimeoutMsMax,
      usual: limits.sessionTimeoutMsDefault,
    }),
    connectTimeoutMs: milliseconds('connectTimeoutMs', options.connectTimeoutMs, {
      min: 1,
      max: timerMsMax,
      usual: connectTimeoutMsDefault,
    }),
    identities: identities.map(identityOf),
    signal,
  }
}

const milliseconds = (
  name: string,
  value: number | undefined,
  range: { readonly min: number; readonly max: number; readonly usual: number },
): number => {
  const { min, max, usual } = range
  if (value === undefined) return usual
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new BadArgumentsError({
    message: `the option ${name} is a whole number of ms from ${min} to ${max}`,
  })
}
