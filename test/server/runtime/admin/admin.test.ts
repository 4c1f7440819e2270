import { request } from 'node:http'
import { connect } from '#client/index.js'
import type { RunningServer } from '#server/main.js'
import t, { type Test } from 'tap'
import { ownLoopback } from '../../../support/own-loopback.js'
import { startTestServer, tempDirectory } from '../../../support/server-kit.js'
import { startOn } from '#server/running-server.js'

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const ask = (
  { adminPort }: RunningServer,
  path: string,
  {
    method = 'GET',
    headers = {},
    host = '127.0.0.1',
  }: { method?: string; headers?: Readonly<Record<string, string>>; host?: string } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const asked = request({ host, port: adminPort, path, method, headers }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => {
        const { statusCode = 0, headers: said } = response
        resolve({ status: statusCode, type: String(said['content-type']), body })
      })
    })
    asked.on('error', reject)
    asked.end()
  })

const serving = (t: Test): Promise<RunningServer> => startTestServer(t, { adminPort: 0 })

t.test('ADMIN-1 there is no admin port unless one is asked for', async (t) => {
  const server = await startTestServer(t)
  t.equal(server.adminPort, null)
})

t.test('ADMIN-2 /healthz says that it lives, /readyz whether clients are served', async (t) => {
  const server = await serving(t)
  t.match(await ask(server, '/healthz'), { status: 200, body: 'alive\n' })
  t.match(await ask(server, '/readyz'), { status: 200, body: 'ready\n' })
  const host = ownLoopback()
  const servers = [1, 2, 3].map((id) => ({
    id,
    host,
    clientPort: 21_000 + id,
    peerPort: 21_010 + id,
    adminPort: 21_020 + id,
  }))
  const secret = 'a secret of many characters'
  const alone = await startOn(null, { serverId: 2, servers, secret, data: tempDirectory(t) })
  t.teardown(() => alone.stop())
  t.match(await ask(alone, '/healthz', { host }), { status: 200 })
  t.match(await ask(alone, '/readyz', { host }), {
    status: 503,
    body: 'the server is looking for a leader; it is linked to 0 of 2 others\n',
  })
})

t.test('ADMIN-3 /status says in JSON what the server is', async (t) => {
  const server = await serving(t)
  const client = await connect(server.url)
  t.teardown(() => client.close())
  await client.create('/a')
  const { status, type, body } = await ask(server, '/status')
  t.equal(status, 200)
  t.equal(type, 'application/json')
  const { zxid, epoch, ensembleId } = server.status()
  t.match(JSON.parse(body), {
    id: 1,
    pid: process.pid,
    role: 'leading',
    leader: 1,
    epoch,
    zxid,
    ensembleId,
    lag: 0,
    sessions: 1,
    connections: 1,
    znodes: server.status().znodes,
    insecure: false,
    ready: true,
    why: null,
  })
  t.ok((JSON.parse(body) as { logBytes: number }).logBytes > 0)
})

/** The value of a sample; null when there is none. */
const sample = (text: string, name: string): number | null => {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `))
  return line === undefined ? null : Number(line.slice(name.length + 1))
}

t.test('ADMIN-4 /metrics counts what was done since the start', async (t) => {
  const server = await serving(t)
  const client = await connect(server.url)
  t.teardown(() => client.close())
  for (const path of ['/a', '/b', '/c']) await client.create(path)
  await client.create('/a').catch(() => undefined)
  await client.get('/b')
  const { status, type, body } = await ask(server, '/metrics')
  t.equal(status, 200)
  t.match(type, /^text\/plain; version=/)
  const value = (name: string): number | null => sample(body, `conclave_${name}`)
  t.equal(value('requests_total{op="create",outcome="ok"}'), 3)
  t.equal(value('requests_total{op="create",outcome="nodeExists"}'), 1)
  t.equal(value('requests_total{op="getData",outcome="ok"}'), 1)
  t.equal(value('write_seconds_count'), 4)
  t.equal(value('zxid'), server.status().zxid)
  t.equal(value('epoch'), server.status().epoch)
  t.equal(value('sessions'), 1)
  t.equal(value('connections'), 1)
  t.equal(value('role{role="leading"}'), 1)
  t.equal(value('role{role="looking"}'), 0)
  t.equal(value('serving'), 1)
  t.equal(value('peer_links'), 0)
  t.ok((value('fsync_seconds_count') ?? 0) > 3)
  t.ok((value('log_bytes') ?? 0) > 0)
  t.not(value('event_loop_delay_seconds{quantile="0.99"}'), null)
})

t.test('ADMIN-5 no client makes a new label, whatever it asks for', async (t) => {
  const server = await serving(t)
  const client = await connect(server.url)
  t.teardown(() => client.close())
  for (const path of ['/canary-1', '/canary-2']) await client.create(path)
  await client.get('/canary-3').catch(() => undefined)
  for (const path of ['/metrics', '/status']) {
    t.notMatch((await ask(server, path)).body, /canary/)
  }
})

t.test('ADMIN-6 it answers GET alone, to those who know its name', async (t) => {
  const server = await serving(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    t.equal((await ask(server, '/status', { method })).status, 405, method)
  }
  for (const host of ['evil.example', '127.0.0.1.evil.example']) {
    t.equal((await ask(server, '/status', { headers: { host } })).status, 403, host)
  }
  const origin = { origin: 'https://evil.example' }
  t.equal((await ask(server, '/status', { headers: origin })).status, 403)
  t.equal((await ask(server, '/status', { headers: { host: 'localhost:1' } })).status, 200)
  t.equal((await ask(server, '/none')).status, 404)
  t.equal((await ask(server, '/healthz', { headers: { x: 'y'.repeat(9_000) } })).status, 431)
})
