import type { Participant } from './ground-truth.js'
import { tellingOf } from './exactly-once-writer.js'
import { WireSpy } from './wire-spy.js'

/** A client that comes to a server, writes once, and goes; resolves when it is gone. */
export const visit = async (url: string, path: string): Promise<Participant> => {
  const spy = new WireSpy({ sent: noop, arriving: noop, arrived: noop })
  const client = await spy.connect(url, 30_000)
  const creating = client.create(path)
  const told = [tellingOf(creating)]
  await creating
  await client.close()
  return { sessionId: client.sessionId, spy, told, prepared: 0 }
}

const noop = (): void => undefined
