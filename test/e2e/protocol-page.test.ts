import t from 'tap'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import { unpackByHand } from '../support/hand-msgpack.js'
import { readText } from '../support/repository.js'

interface Example {
  readonly sender: 'Client' | 'Server'
  /** As the line above it writes the message, byte strings as h'..'. */
  readonly notation: string
  readonly bytes: Buffer
}

/** The examples of section 17: words that name sender and message, then its bytes in a block. */
const examples = (page: string): readonly Example[] => {
  const section = page.slice(page.indexOf('## 17. Worked examples\n'))
  return [...section.matchAll(/(.*?)^```text\n(.*?)^```$/gms)].map(
    ([, words = '', block = '']) => ({
      sender: /^Client/m.test(words) ? 'Client' : 'Server',
      notation: /`(\[\[.*\]\])`/.exec(words)?.[1] ?? 'null',
      bytes: Buffer.from(block.split('\n').map(hexOf).join(''), 'hex'),
    }),
  )
}

/** The hexadecimal pairs at the start of a line; two or more spaces part them from the words. */
const hexOf = (line: string): string =>
  (/^ *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: {2,}|$)/.exec(line)?.[1] ?? '').replaceAll(' ', '')

/** The notation of the page: JSON with nil, and byte strings as h'..'. */
const valueOf = (notation: string): unknown =>
  JSON.parse(
    notation.replaceAll('nil', 'null').replace(/h'([0-9a-f]*)'/g, '{"bytes":"$1"}'),
    (_key, value: unknown) =>
      typeof value === 'object' && value !== null && 'bytes' in value
        ? new Uint8Array(Buffer.from(String(value.bytes), 'hex'))
        : value,
  )

t.test('PROTO-16 the examples of the page are what the codec sends and reads', async (t) => {
  const page = readText('docs/PROTOCOL.md')
  const all = examples(page)
  t.equal(all.length, page.match(/^```text$/gm)?.length, 'every block is an example')
  t.ok(all.length >= 14, `${all.length} examples`)
  for (const { sender, notation, bytes } of all) {
    t.strictSame(unpackByHand(bytes), valueOf(notation), notation.slice(0, 60))
    const again =
      sender === 'Client'
        ? clientMessages.encode(clientMessages.decode(bytes))
        : serverMessages.encode(serverMessages.decode(bytes))
    t.equal(Buffer.from(again).toString('hex'), bytes.toString('hex'))
  }
})
