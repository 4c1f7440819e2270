import { Digest, Fingerprint } from '../../../server/dist/core/fingerprint.js'
import { suiteOf } from './micro-case.js'
import { payload } from './txns.js'

const digest = new Digest()

const count = (data: Uint8Array): void => {
  const fingerprint = new Fingerprint(1).text('/services/database/instance-1').bytes(data).number(7)
  digest.add(fingerprint.done())
}

const large = Buffer.alloc(10_000, 'conclave ')

export const digests = suiteOf('digest', [
  { name: 'fingerprint of 100 bytes', operations: 1, run: () => count(payload) },
  { name: 'fingerprint of 10,000 bytes', operations: 1, run: () => count(large) },
])
