import type { WhoAmI } from '@conclave/client'
import { commandRow } from '../command.js'
import { escapeText } from '../output/escape.js'
import { pairsText } from '../output/table.js'

export const whoami = commandRow({
  name: 'whoami',
  summary: 'print the session and who the servers take you for',
  parameters: [],
  options: [],
  examples: ['whoami --auth orders:secret'],

  async *run({ client, wait }) {
    yield await client.whoAmI(wait)
  },
  show: ({ sessionId, identities }: WhoAmI) =>
    pairsText([
      ['session', String(sessionId)],
      ...identities.map(({ scheme, id }) => [scheme, escapeText(id)] as const),
    ]),
})
