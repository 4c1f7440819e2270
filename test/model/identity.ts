import type { Identity } from '@conclave/protocol'

/** The identity that the kit's stand-in for scrypt makes of a user and a password. */
export const identityOf = (user: string, password: string): Identity => {
  const hash = Buffer.from(`${user}/${password}`).toString('hex').padEnd(64, '0').slice(0, 64)
  return { scheme: 'digest', id: `${user}:${hash}` }
}
