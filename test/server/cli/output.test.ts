import { permissions } from '#client/index.js'
import { aclEntryText, lettersOf, parseAcl } from '#server/cli/output/acl.js'
import { bytesForJson, bytesInline, hexDump, textOf } from '#server/cli/output/bytes.js'
import { escapeBlock, escapeText, isPrintable, safeJson } from '#server/cli/output/escape.js'
import { inspectedText } from '#server/cli/inspect/inspected-text.js'
import { decodePosition, encodePosition } from '#server/cli/output/event.js'
import { plain, styleFor } from '#server/cli/output/style.js'
import { tableText } from '#server/cli/output/table.js'
import { textWidth } from '#server/cli/output/text-width.js'
import { ageText, durationText, timeText } from '#server/cli/output/time.js'
import { dataText, listingTable, statText } from '#server/cli/output/znode.js'
import { UsageError } from '#server/cli/usage-error.js'
import { fakeStat } from '../../support/fake-server.js'
import type { SessionId, Xid, Zxid } from '@conclave/protocol'
import type { Txn, TxnBody } from '@conclave/protocol/peer'
import fc from 'fast-check'
import t from 'tap'

const view = { style: plain, isTerminal: true, nowMs: 1_000_000_000 }
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
// oxlint-disable-next-line no-control-regex -- these are what must not get through
const harmful = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/

t.test('CLI-4 nothing that steers a terminal gets through', async (t) => {
  t.equal(escapeText('a\u001b[31m\nb\t\r\u0007'), String.raw`a\x1b[31m\nb\t\r\x07`)
  t.equal(escapeText('\u009b31m \u202eevil \ufeff'), String.raw`\x9b31m \u{202e}evil \u{feff}`)
  t.equal(escapeText('\ud800'), String.raw`\u{d800}`, 'half of a character')
  t.equal(escapeText('grüße 日本 🎉'), 'grüße 日本 🎉')
  t.equal(escapeBlock('a\n\tb\u001b'), 'a\n\tb\\x1b')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = [escapeText(text), bytesInline(utf8(text)), dataText(utf8(text), view)]
      return shown.every((one) => !harmful.test(one))
    }),
  )
})

t.test('CLI-4 JSON holds nothing that steers a terminal either, and reads back', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = safeJson({ text })
      return !harmful.test(json) && (JSON.parse(json) as { text: string }).text === text
    }),
  )
  t.equal(safeJson('\u009b'), String.raw`"\u009b"`)
})

t.test(
  'CLI-5 data is shown as text when it is text fit to be shown, in hexadecimal else',
  async (t) => {
    t.equal(dataText(utf8('a\n\tb\n'), view), 'a\n\tb')
    t.equal(textOf(utf8('\u001b[2J')), null)
    t.equal(textOf(new Uint8Array([255, 254])), null)
    t.equal(isPrintable('ok\n'), true)
    t.match(
      dataText(new Uint8Array([0, 65]), view),
      /^\(2 bytes that are no text.*\n00000000 {2}00 41/,
    )
    t.equal(dataText(new Uint8Array(0), view), '(no data)')
    t.equal(dataText(new Uint8Array(0), { ...view, isTerminal: false }), '')
    t.strictSame(hexDump(utf8('0123456789abcdefX')), [
      '00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  |0123456789abcdef|',
      `00000010  58${' '.repeat(45)}  |X|`,
    ])
    t.match(hexDump(new Uint8Array(40), 32).at(-1), '… 8 bytes more')
    t.equal(bytesInline(utf8('a\nb'.repeat(40)), 4), String.raw`a\nba…`)
    t.equal(bytesInline(new Uint8Array([1, 2])), '0x0102')
    t.equal(bytesInline(new Uint8Array([255, 255, 255]), 4), '0xffff…')
  },
)

t.test('CLI-5 JSON says how the data is written', async (t) => {
  t.strictSame(bytesForJson(utf8('\ufeffx\u0000')), { data: '\ufeffx\u0000', encoding: 'utf8' })
  t.strictSame(bytesForJson(new Uint8Array([255])), { data: '/w==', encoding: 'base64' })
})

t.test('CLI-6 times are times, and ages have the largest unit that fits', async (t) => {
  t.equal(timeText(Date.UTC(2026, 10, 21, 4, 5, 6, 789)), '2026-11-21 04:05:06Z')
  t.equal(timeText(Number.MAX_SAFE_INTEGER), '9007199254740991 ms')
  const ages: readonly (readonly [number, string])[] = [
    [999, 'now'],
    [1_000, '1 s ago'],
    [119_999, '119 s ago'],
    [180_000, '3 min ago'],
    [2 * 3_600_000, '2 h ago'],
    [2 * 86_400_000, '2 d ago'],
    [-3_000, 'in 3 s'],
  ]
  for (const [age, text] of ages) t.equal(ageText(10 ** 9 - age, 10 ** 9), text)
  t.equal(durationText(250), '250 ms')
})

t.test('CLI-6 tables are aligned, whatever is in them', async (t) => {
  const stat = fakeStat({ mtime: view.nowMs - 180_000, numChildren: 2, dataLength: 12 })
  const children = [
    { name: 'query', stat },
    { name: '日本\u001b', stat: { ...stat, kind: 'ephemeral' as const, version: 10 } },
  ]
  t.equal(
    listingTable(children, view),
    [
      'NAME      KIND        VERSION  CHILDREN  BYTES  MODIFIED',
      'query     persistent        0         2     12  3 min ago',
      String.raw`日本\x1b  ephemeral        10         2     12  3 min ago`,
    ].join('\n'),
  )
  t.equal(tableText([{ title: 'A' }, { title: 'B' }], [['1', '']]), 'A  B\n1')
  for (const [text, width] of [
    ['日本', 4],
    ['e\u0301', 1],
    ['🎉', 2],
    ['\u001b[31mx\u001b[39m', 1],
  ] as const) {
    t.equal(textWidth(text), width, text)
  }
  const text = statText('/a', { ...stat, kind: 'ttl', ttlMs: 300_000 }, view)
  t.match(text, /^kind +ttl$/m)
  t.match(text, /^ttl +5 min$/m)
  t.match(text, /^modified +1970-01-12 13:43:40Z \(3 min ago\), zxid 1$/m)
})

t.test('CLI-7 there are colours on a terminal only, and none when they are unwanted', async (t) => {
  t.equal(styleFor(true, {}).bad('x'), '\u001b[31mx\u001b[39m')
  t.equal(styleFor(false, {}).bad('x'), 'x')
  t.equal(styleFor(true, { NO_COLOR: '1' }).bad('x'), 'x')
  t.equal(styleFor(true, { TERM: 'dumb' }).bad('x'), 'x')
  t.not(styleFor(true, { NO_COLOR: '' }).bad('x'), 'x')
})

t.test('CLI-8 an ACL is written as it is read', async (t) => {
  const id = `bob:${'0f'.repeat(32)}`
  const texts = ['world:anyone:r', 'auth::rwcda', `digest:${id}:rw`, 'ip:fe80::/10:a']
  t.strictSame(parseAcl(texts).map(aclEntryText), texts)
  t.match(parseAcl(['ip:fe80::/10:da']), [{ id: 'fe80::/10', permissions: 8 | 16 }])
  t.equal(lettersOf(permissions.all), 'rwcda')
  for (const bad of ['', 'world', 'world:anyone', 'world:anyone:', 'world:anyone:x', 'x:y:r']) {
    t.throws(() => parseAcl([bad]), UsageError, bad)
  }
})

t.test('CLI-13 a position is one word that reads back', async (t) => {
  const position = { ensembleId: 'e', zxid: 5, index: 1 } as unknown as Parameters<
    typeof encodePosition
  >[0]
  t.match(encodePosition(position), /^[\w-]+$/)
  t.strictSame(decodePosition(encodePosition(position)), position)
  t.throws(() => decodePosition('xx'), UsageError)
})

t.test('CLI-24 a txn of the system says whom it is about', async (t) => {
  const sessionId = 7 as SessionId
  const line = (body: TxnBody): string => {
    const [zxid, epoch] = [9 as Zxid, 1 as Txn['epoch']]
    const head = { zxid, epoch, timeMs: 0, sessionId: 0 as SessionId, ackedXid: 0 as Xid }
    const txn: Txn = { ...head, xid: 0 as Xid, body }
    const item = { item: 'record', file: 'log', offset: 0, position: { zxid, epoch }, txn } as const
    return inspectedText(item, plain)
  }
  const stat = { czxid: 1 as Zxid, mzxid: 2 as Zxid, mtime: 3, version: 4 }
  const acl = [{ scheme: 'world', id: 'anyone', permissions: 1 }] as const
  const change = { change: 'delete', path: '/e', acl, ...stat } as const
  const changes = [{ ...change, ephemeralOwner: sessionId, parentAcl: acl }]
  t.match(
    line({ body: 'closeSession', closedSession: sessionId, expired: true, changes }),
    / closeSession 7 \(expired\), delete \/e$/,
  )
  const acked = [
    { sessionId, ackedXid: 3 as Xid },
    { sessionId: 8 as SessionId, ackedXid: 4 as Xid },
  ]
  t.match(line({ body: 'acknowledge', acked }), / acknowledge session 7 xid 3, session 8 xid 4$/)
})
