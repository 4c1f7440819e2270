import { commandNamed } from '#server/cli/commands/table.js'
import { HelpAsked, parseWords } from '#server/cli/parser.js'
import { credentials, duration, wholeNumber } from '#server/cli/parse-options.js'
import { quoteWord, scanWords, splitWords } from '#server/cli/split-words.js'
import { treePath } from '#server/cli/tree-path.js'
import { UsageError } from '#server/cli/usage-error.js'
import fc from 'fast-check'
import t from 'tap'

const texts = (line: string): readonly string[] => splitWords(line).map(({ text }) => text)

t.test(
  'CLI-1 a line is split at its blanks, and quotes and backslashes keep words whole',
  async (t) => {
    t.strictSame(texts('  create  /a\tb '), ['create', '/a', 'b'])
    t.strictSame(texts(`set /a '{"x": 1}' "two words" a\\ b`), [
      'set',
      '/a',
      '{"x": 1}',
      'two words',
      'a b',
    ])
    t.strictSame(texts(String.raw`"a\n\t\"\\\x41" 'a\n'`), ['a\n\t"\\A', String.raw`a\n`])
    t.strictSame(texts(`a'b'"c"\\d ''`), ['abcd', ''])
    t.strictSame(
      splitWords(`& '&'`).map(({ isQuoted }) => isQuoted),
      [false, true],
    )
    t.strictSame(texts(''), [])
  },
)

t.test('CLI-1 what is not closed is refused', async (t) => {
  for (const line of [`get 'a`, 'get "a', 'get a\\']) t.throws(() => splitWords(line), UsageError)
  t.equal(scanWords(`get 'a b`).open, "'")
  t.equal(scanWords(`get 'a b`).words[1]?.text, 'a b')
})

t.test('CLI-1 every text can be written as one word', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => texts(quoteWord(text))[0] === text),
  )
})

t.test(
  'CLI-2 a path in a shell starts from the place, and . and .. mean what they do',
  async (t) => {
    t.equal(treePath('b', '/a'), '/a/b')
    t.equal(treePath('.', '/a'), '/a')
    t.equal(treePath('..', '/a/b'), '/a')
    t.equal(treePath('../../..', '/a/b'), '/')
    t.equal(treePath('/x/./y/../z', '/a'), '/x/z')
    t.equal(treePath('/a/', null), '/a')
    t.equal(treePath('/', '/a'), '/')
    t.equal(treePath('/q/', null, { isPrefix: true }), '/q/', 'digits alone make the name')
    t.equal(treePath('.', null), '/')
  },
)

t.test(
  'CLI-2 a path without a slash at its start is refused where there is no place',
  async (t) => {
    t.throws(() => treePath('a', null), { name: 'UsageError', message: /write \/a$/ })
    t.throws(() => treePath('', '/a'), UsageError)
    t.equal(treePath('//a', null), '//a', 'an empty part is for the server to judge')
  },
)

t.test('CLI-3 options and arguments are read alike by both front ends', async (t) => {
  const parse = (line: string) => {
    const [name = '', ...words] = texts(line)
    const row = commandNamed(name)
    if (row === undefined) throw new Error(name)
    return parseWords(row, words)
  }
  t.strictSame(parse('create -e -s /l- x'), {
    words: ['/l-', 'x'],
    options: { ephemeral: true, sequential: true },
  })
  t.match(parse('create /t --ttl 90s --acl a --acl b'), {
    options: { ttl: 90_000, acl: ['a', 'b'] },
  })
  t.strictSame(parse('set /a -v 3 -- -x').words, ['/a', '-x'])
  t.match(parse('rm -r /a'), { words: ['/a'], options: { recursive: true } })
  for (const line of ['get', 'get /a b', 'get /a --no', 'set /a x -v y', 'create --ttl 5x /a']) {
    t.throws(() => parse(line), UsageError, line)
  }
  t.throws(() => parse('set /a -x'), { message: /put -- before data/ })
  t.throws(() => parse('get --help'), HelpAsked)
})

t.test(
  'CLI-3 numbers, times and credentials are checked, and no password is repeated',
  async (t) => {
    t.equal(wholeNumber('x', 5)('5'), 5)
    for (const bad of ['6', '-1', '1.5', '', 'a'])
      t.throws(() => wholeNumber('x', 5)(bad), UsageError)
    const times = { 1: '1', 500: '500ms', 90_000: '90s', 300_000: '5m', 43_200_000: '12h' }
    for (const [ms, text] of Object.entries(times)) t.equal(duration('x')(text), Number(ms))
    for (const bad of ['', '0', '1w', '-1s', '99999d'])
      t.throws(() => duration('x')(bad), UsageError)
    t.match(credentials('bob:a:b'), { user: 'bob', password: 'a:b' })
    for (const bad of [':secret', 'secret', 'bob:']) {
      t.throws(() => credentials(bad), { message: /^(?!.*secret)/ })
    }
  },
)
