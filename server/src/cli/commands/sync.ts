import { commandRow } from '../command.js'

export const sync = commandRow({
  name: 'sync',
  summary: 'wait until this server has all that anybody was told of before',
  parameters: [],
  options: [],
  examples: ['sync'],

  async *run({ client, wait }) {
    await client.sync('/', wait)
    yield { zxid: client.lastZxidSeen }
  },
  show: ({ zxid }: { zxid: number }, { style }) => style.dim(`in sync at zxid ${zxid}`),
})
