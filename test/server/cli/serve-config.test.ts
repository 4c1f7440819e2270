import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseConfig, serveConfig } from '#server/cli/serve/serve-config.js'
import { UsageError } from '#server/cli/usage-error.js'
import { tempDirectory } from '../../support/server-kit.js'
import t from 'tap'

t.test('CLI-9 a config is YAML or JSON, and flags override it', async (t) => {
  const directory = tempDirectory(t)
  const file = join(directory, 'conclave.yaml')
  writeFileSync(file, 'data: ./d\nclientPort: 7411\nallowOrigins: [https://x]\n')
  t.strictSame(serveConfig({ config: file, clientPort: 0 }), {
    data: join(directory, 'd'),
    clientPort: 0,
    allowOrigins: ['https://x'],
  })
  t.strictSame(parseConfig('{"data":"/d","logLevel":"warn"}', 'c.json'), {
    data: '/d',
    logLevel: 'warn',
  })
  t.strictSame(parseConfig('', 'c'), {})
  t.equal(serveConfig({ config: file, data: './x' }).data, './x', 'a flag starts from here')
})

t.test('CLI-9 what is wrong in a config is refused by file and key', async (t) => {
  const refused = (text: string, message: RegExp): void => {
    t.throws(() => parseConfig(text, 'c.yaml'), { name: 'UsageError', message })
  }
  refused('client-port: 1', /^c\.yaml: there is no key "client-port"; did you mean clientPort\?$/)
  refused('nonsense: 1', /^c\.yaml: there is no key "nonsense"; there are data, host, /)
  refused('clientPort: seven', /^c\.yaml: clientPort: expected number/)
  refused('clientPort: 65536', /^c\.yaml: clientPort: /)
  refused('hosts: [1]', /^c\.yaml: hosts\.0: /)
  refused('sessionTimeoutMsMin: 5', /^c\.yaml: sessionTimeoutMsMin: /)
  refused('data: 1\ndata: 2', /^c\.yaml is no YAML in line 2: /)
  refused('- a', /^c\.yaml is not a list of keys/)
  t.throws(() => serveConfig({ config: '/no/such/file' }), { message: /it does not exist$/ })
  t.throws(() => serveConfig({ config: '/' }), { message: /it is a directory$/ })
  t.throws(() => serveConfig({}), UsageError)
})
