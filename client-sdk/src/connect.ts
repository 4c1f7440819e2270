import { limits } from '@conclave/protocol'
import { anything, checked, type Checks, isSignal, timerMsMax, wholeNumber } from './checked.js'
import { Chroot } from './chroot.js'
import { Client } from './client.js'
import { parseConnectString } from './connect-string.js'
import { BadArgumentsError, ConnectError, errorOf, SessionExpiredError } from './errors.js'
import { type AuthOptions, identityOf } from './identity.js'
import type { DigestIdentity } from './session/input.js'
import { IdentityRefused, SessionRunner } from './session/runner.js'
import type { Platform } from './transport/transport.js'

export interface ConnectOptions {
  /**
   * How long the session, and with it every ephemeral, outlives the last word from this client:
   * 1,000 to 60,000 ms, 10,000 by default. The servers may narrow it.
   */
  readonly sessionTimeoutMs?: number | undefined
  /** How long, in ms from 1, to look for a server that answers; 10,000 by default. */
  readonly connectTimeoutMs?: number | undefined
  /** Who the client wants to be, at most 16 identities. */
  readonly auth?: AuthOptions | readonly AuthOptions[] | undefined
  /** Gives up connecting; has no effect on the client afterwards. */
  readonly signal?: AbortSignal | undefined
}

export type Connect = (connectString: string, options?: ConnectOptions) => Promise<Client>

const connectChecks: Checks<ConnectOptions> = {
  sessionTimeoutMs: wholeNumber(limits.sessionTimeoutMsMin, limits.sessionTimeoutMsMax),
  connectTimeoutMs: wholeNumber(1, timerMsMax),
  auth: anything,
  signal: isSignal,
}
const connectTimeoutMsDefault = 10_000

/** `connect` for one place: Node, a browser, or a test with a clock and a network of its own. */
export const connectorFor =
  (platform: Platform): Connect =>
  async (connectString, options) => {
    const { servers, chroot } = parseConnectString(connectString)
    const given = checked(options, connectChecks)
    const { sessionTimeoutMs = limits.sessionTimeoutMsDefault } = given
    const { connectTimeoutMs: timeoutMs = connectTimeoutMsDefault, signal } = given
    const identities = identitiesOf(given.auth ?? [])
    signal?.throwIfAborted()
    const seed = new DataView(platform.randomBytes(4).buffer).getUint32(0)
    const nonce = platform.randomBytes(limits.nonceBytes)
    const runner = new SessionRunner(
      { servers, nonce, sessionTimeoutMs, identities, seed },
      platform,
    )
    const wait = runner.waits.begin({ signal, timeoutMs })
    const giveUp = (): void => runner.abandon('connecting was given up')
    let tried: ReadonlyMap<string, string> | null = null
    wait.onOver = () => {
      tried = new Map(runner.reasons)
      giveUp()
    }
    try {
      await runner.start()
    } catch (error) {
      giveUp()
      signal?.throwIfAborted()
      if (error instanceof IdentityRefused) throw refusalOf(error)
      if (tried !== null) throw noAnswer(tried, timeoutMs)
      const reason = error instanceof Error ? error.message : String(error)
      throw new SessionExpiredError({ message: reason, cause: error })
    } finally {
      wait.end()
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

const identitiesOf = (auth: AuthOptions | readonly AuthOptions[]): readonly DigestIdentity[] => {
  const given = (Array.isArray(auth) ? auth : [auth]) as readonly AuthOptions[]
  if (given.length <= limits.identitiesMax) return given.map(identityOf)
  throw new BadArgumentsError({ message: `at most ${limits.identitiesMax} identities` })
}
