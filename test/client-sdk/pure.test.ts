import { Chroot } from '#client/chroot.js'
import { bytes, compareSequential, json, sequenceOf, text } from '#client/index.js'
import * as browser from '#client/browser.js'
import * as node from '#client/index.js'
import t from 'tap'

t.test(
  'SDK-51 a chroot is on every path that goes in and off every one that comes out',
  async (t) => {
    const chroot = new Chroot('/app')
    t.equal(chroot.toServer('/'), '/app')
    t.equal(chroot.toServer('/x'), '/app/x')
    t.equal(chroot.prefixToServer('/q/'), '/app/q/')
    t.equal(chroot.toClient('/app'), '/')
    t.equal(chroot.toClient('/app/x'), '/x')
    t.equal(chroot.toClientText('no /app/x'), 'no /x')
    const whole = new Chroot('/')
    t.equal(whole.toServer('/'), '/')
    t.equal(whole.toClient('/x'), '/x')
    for (const path of ['', 'x', '/..', '/../y', '/x/', '//']) {
      t.throws(() => chroot.toServer(path), { code: 'badArguments' }, path)
    }
  },
)

t.test('SDK-34 codecs give back what they were given, as a copy', async (t) => {
  const raw = new Uint8Array([1, 2])
  const encoded = bytes.encode(raw)
  raw[0] = 9
  t.strictSame(encoded, new Uint8Array([1, 2]))
  t.not(bytes.decode(encoded), encoded)
  t.equal(text.decode(text.encode('grüß')), 'grüß')
  t.throws(() => text.decode(new Uint8Array([0xff])))
  t.strictSame(json.decode(json.encode({ a: [1] })), { a: [1] })
  t.throws(() => json.decode(new Uint8Array(0)), /no data/)
})

t.test('SDK-52 sequential names are ordered by number, also past ten digits', async (t) => {
  const names = ['j-10000000000', 'j-9999999999', 'j-0000000002']
  t.strictSame([...names].sort(compareSequential), [...names].reverse())
  t.equal(sequenceOf('/q/j-0000000042', '/q/j-'), 42)
  t.equal(sequenceOf('j-10000000000', 'j-'), 10_000_000_000)
  t.ok(Number.isNaN(sequenceOf('k-0000000042', 'j-')))
  t.ok(Number.isNaN(sequenceOf('j-42', 'j-')))
})

t.test('SDK-53 the browser entry has the same names as the Node entry', async (t) => {
  t.strictSame(Object.keys(browser).sort(), Object.keys(node).sort())
})
