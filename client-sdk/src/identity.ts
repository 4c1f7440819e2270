import { limits, utf8Length, Secret } from '@conclave/protocol'
import { BadArgumentsError } from './errors.js'
import type { DigestIdentity } from './session/input.js'

/** Who the client wants to be: `digest:user` with a password, as ACLs name it. */
export interface AuthOptions {
  readonly scheme: 'digest'
  /** 1 to 256 bytes, without `:`. */
  readonly user: string
  /**
   * 1 to 256 bytes. A plain string is wrapped at once; `undefined` (a variable that is not set) is
   * refused.
   */
  readonly password: string | Secret | undefined
}

/** @throws BadArgumentsError with a sentence that does not contain the password */
export const identityOf = (auth: AuthOptions): DigestIdentity => {
  const refuse = (message: string): never => {
    throw new BadArgumentsError({ message })
  }
  if (typeof auth !== 'object' || auth === null) refuse('auth is { scheme, user, password }')
  const { scheme, user, password } = auth
  if (scheme !== 'digest') refuse(`auth.scheme is 'digest'`)
  if (typeof user !== 'string' || user === '') refuse('auth.user is a text that is not empty')
  if (!user.isWellFormed()) refuse('auth.user is no Unicode text')
  if (user.includes(':')) refuse("auth.user has no ':'")
  if (utf8Length(user) > limits.userBytesMax)
    refuse(`auth.user has at most ${limits.userBytesMax} bytes`)
  if (password === undefined) refuse('auth.password is not set')
  const secret = password instanceof Secret ? password : new Secret(password as string)
  const plain = secret.reveal()
  if (typeof plain !== 'string' || plain === '') {
    refuse('auth.password is a text that is not empty, or a Secret')
  }
  if (!plain.isWellFormed()) refuse('auth.password is no Unicode text')
  if (utf8Length(plain) > limits.passwordBytesMax) {
    refuse(`auth.password has at most ${limits.passwordBytesMax} bytes`)
  }
  return { scheme: 'digest', user, password: secret }
}
