import { scryptSync } from 'node:crypto'
import { parentPort } from 'node:worker_threads'

/** The cost that OWASP's password storage guide gives as equal to its first choice for scrypt. */
const cost = { N: 16_384, r: 8, p: 5, maxmem: 64 * 1_024 * 1_024 }

parentPort?.on('message', ({ id, password, salt }: Question) => {
  const hash = scryptSync(password.normalize('NFC'), salt, 32, cost).toString('hex')
  parentPort?.postMessage({ id, hash })
})

interface Question {
  readonly id: number
  readonly password: string
  readonly salt: string
}
