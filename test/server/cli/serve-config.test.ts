import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseConfig, serveConfig } from '#server/cli/serve/serve-config.js'
import { UsageError } from '#server/cli/usage-error.js'
import { type ServerOptions, settingsOf } from '#server/server-options.js'
import { tempDirectory } from '../../support/server-kit.js'
import t from 'tap'
import { parse as parseYaml } from 'yaml'

t.test('CLI-9 a config is YAML or JSON, and flags override it', async (t) => {
  const directory = tempDirectory(t)
  const file = join(directory, 'conclave.yaml')
  writeFileSync(file, 'data: ./d\nclientPort: 7411\nallowOrigins: [https://x]\n')
  t.strictSame(serveConfig({ config: file, clientPort: 0 }), {
    data: join(directory, 'd'),
    clientPort: 0,
    adminPort: 7_600,
    allowOrigins: ['https://x'],
  })
  t.strictSame(parseConfig('{"data":"/d","logLevel":"warn"}', 'c.json'), {
    data: '/d',
    logLevel: 'warn',
  })
  t.strictSame(parseConfig('', 'c'), {})
  t.equal(serveConfig({ config: file, data: './x' }).data, './x', 'a flag starts from here')
})

t.test('CLI-31 a relative secretFile starts from where the config file is', async (t) => {
  const directory = tempDirectory(t)
  const file = join(directory, 'conclave.yaml')
  writeFileSync(file, 'servers: [{id: 1, host: a}, {id: 2, host: b}]\nsecretFile: ./s\n')
  t.strictSame(serveConfig({ config: file, data: '/d', serverId: 2 }), {
    data: '/d',
    serverId: 2,
    secretFile: join(directory, 's'),
    servers: [
      { id: 1, host: 'a' },
      { id: 2, host: 'b' },
    ],
  })
})

t.test('CLI-9 what is wrong in a config is refused by file and key', async (t) => {
  const refused = (text: string, message: RegExp): void => {
    t.throws(() => parseConfig(text, 'c.yaml'), { name: 'UsageError', message })
  }
  refused(
    'client-port: 1',
    /^c\.yaml: there is no option "client-port"; did you mean clientPort\?$/,
  )
  refused(
    'nonsense: 1',
    /^c\.yaml: there is no option "nonsense"; there are data, host, .*logLevel/,
  )
  refused('hosts: [1]', /^c\.yaml: hosts\.0 is a text, not 1$/)
  refused('logLevel: loud', /^c\.yaml: logLevel is one of trace, .*silent, not 'loud'$/)
  refused('data: 1\ndata: 2', /^c\.yaml is no YAML in line 2: /)
  refused('- a', /^c\.yaml is no list of names and values/)
  t.throws(() => serveConfig({ config: '/no/such/file' }), { message: /it does not exist$/ })
  t.throws(() => serveConfig({ config: '/' }), { message: /it is a directory$/ })
  t.throws(() => serveConfig({}), UsageError)
})

t.test('SERVER-14 an option is judged alike in a program and in a file', async (t) => {
  const cases: readonly (readonly [yaml: string, fault: string])[] = [
    ['clientPort: 65536', 'clientPort is a whole number from 0 to 65535, not 65536'],
    ['clientPort: -1', 'clientPort is a whole number from 0 to 65535, not -1'],
    ['clientPort: seven', "clientPort is a whole number from 0 to 65535, not 'seven'"],
    ['clientPort:', 'clientPort is a whole number from 0 to 65535, not null'],
    ['serverId: 0', 'serverId is a whole number from 1 to 255, not 0'],
    ['serverId: 256', 'serverId is a whole number from 1 to 255, not 256'],
    ['serverId: 1.5', 'serverId is a whole number from 1 to 255, not 1.5'],
    ['serverId: .nan', 'serverId is a whole number from 1 to 255, not NaN'],
    ['insecure: yes please', "insecure is true or false, not 'yes please'"],
    ['host: ""', "host is a text that is not empty, not ''"],
    ['hosts: a', "hosts is a list of texts, not 'a'"],
    ['historyBytesMax: -1', 'historyBytesMax is a whole number from 0 to 9007199254740991, not -1'],
    ['snapshotTxns: 0', 'snapshotTxns is a whole number from 1 to 9007199254740991, not 0'],
    ['segmentBytes: 16', 'segmentBytes is a whole number from 65536 to 1073741824, not 16'],
    ['connectionsMax: 0', 'connectionsMax is a whole number from 1 to 1000000, not 0'],
    ['sessionTimeoutMsMin: 5', 'sessionTimeoutMsMin is a whole number from 1000 to 60000, not 5'],
    [
      'sessionTimeoutMsMax: 90000',
      'sessionTimeoutMsMax is a whole number from 1000 to 60000, not 90000',
    ],
    [
      '{sessionTimeoutMsMin: 5000, sessionTimeoutMsMax: 4000}',
      'sessionTimeoutMsMin is at most sessionTimeoutMsMax, not 5000',
    ],
    ['adminPort: 65536', 'adminPort is a whole number from 0 to 65535, not 65536'],
    [
      'servers: [{id: 1, host: a, peerPort: 70000}]',
      'servers.0.peerPort is a whole number from 1 to 65535, not 70000',
    ],
    ['secret: short', 'secret is a text of 16 to 1024 characters'],
    ['ClientPort: 1', 'there is no option "ClientPort"; did you mean clientPort?'],
  ]
  for (const [yaml, fault] of cases) {
    t.throws(() => parseConfig(yaml, 'c'), { name: 'UsageError', message: `c: ${fault}` })
    const options = { data: '/d', ...(parseYaml(yaml) as object) } as ServerOptions
    t.throws(() => settingsOf(options), { code: 'options', message: `${fault}.` })
  }
  for (const yaml of ['clientPort: 0', 'historyBytesMax: 0', 'connectionsMax: 1000000']) {
    const said: unknown = parseYaml(yaml)
    t.strictSame(parseConfig(yaml, 'c'), said)
    const settings = settingsOf({ data: '/d', ...(said as object) })
    t.match({ ...settings, ...settings.own }, said as object)
  }
  const unsaid = { data: '/d', clientPort: undefined, hosts: undefined, log: undefined }
  t.match(settingsOf(unsaid), {
    host: '127.0.0.1',
    own: { clientPort: 7_400 },
    hosts: [],
  })
})
