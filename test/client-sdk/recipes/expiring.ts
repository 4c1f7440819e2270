import type { Client } from '#client/index.js'
import type { Test } from 'tap'
import { CuttingTransport } from './cutting.js'

/** Its session ends, and it does not know. */
export const expire = (wire: CuttingTransport, client: Client): void => {
  wire.arm(1, 'expire')
  void client.whoAmI().catch(() => undefined)
}

/** A client whose session can be made to expire; it is closed when the test ends. */
export const connectCutting = async (t: Test, url: string) => {
  const wire = new CuttingTransport()
  const client = await wire.connect(url)
  t.teardown(() => client.close({ timeoutMs: 1_000 }))
  return { wire, client }
}
