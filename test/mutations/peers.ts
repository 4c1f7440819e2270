import type { Mutation } from './mutation.js'

const links = 'server/src/runtime/net/peer-links.ts'
const identity = 'server/src/runtime/net/peer-identity.ts'
const handshake = 'server/src/runtime/net/peer-handshake.ts'
const link = 'server/src/runtime/net/peer-link.ts'
const options = 'server/src/server-options.ts'
const server = 'server/src/running-server.ts'
const metrics = 'server/src/runtime/admin/metrics.ts'
const admin = 'server/src/runtime/admin/admin-listener.ts'
const ofLinks = 'test/dist/server/runtime/net/peer-links.test.js'
const ofPeers = 'test/dist/hostile/peers.test.js'
const ofOptions = 'test/dist/server/runtime/ensemble-options.test.js'
const ofAdmin = 'test/dist/server/runtime/admin/admin.test.js'
const ofEnsemble = 'test/dist/e2e/running.test.js'
const ofCli = 'test/dist/server/cli/ensemble.test.js'

/** What servers say to each other, and what those who run them see of it. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'PEER-1',
    file: links,
    before: 'if (id < this.#options.serverId) this.#diallers',
    after: 'if (id > this.#options.serverId) this.#diallers',
    test: ofLinks,
  },
  {
    rule: 'PEER-2',
    file: handshake,
    before: 'if (!isSameProof(frame.proof, expected))',
    after: 'if (!isSameProof(expected, expected))',
    test: ofLinks,
  },
  {
    rule: 'PEER-3',
    file: identity,
    before: '  challenge,\n  ensembleId,\n  hash,\n]',
    after: '  challenge.length,\n  ensembleId,\n  hash,\n]',
    test: ofLinks,
  },
  {
    rule: 'PEER-4',
    file: identity,
    before: "if (hello.from === serverId) return 'ownId'",
    after: "if (hello.from === 0) return 'ownId'",
    test: ofPeers,
  },
  {
    rule: 'PEER-5',
    file: identity,
    before: 'const areOfTwo = ensembleId !== null && hello.ensembleId !== null',
    after: 'const areOfTwo = ensembleId !== hello.ensembleId',
    test: ofLinks,
  },
  {
    rule: 'PEER-6',
    file: links,
    before: "if (isAlive) return decided('duplicateId')",
    after: "if (!isAlive) return decided('duplicateId')",
    test: ofLinks,
  },
  {
    rule: 'PEER-7',
    file: handshake,
    before: 'if (bytesRead > limits.peerHandshakeBytesMax + headerBytesMax && !this.#isOver) {',
    after: 'if (bytesRead > limits.peerMessageBytesMax + headerBytesMax && !this.#isOver) {',
    test: ofPeers,
  },
  {
    rule: 'PEER-8',
    file: links,
    before: 'if (open?.id === link) open.link.send(frames)',
    after: 'if (link > 0) open?.link.send(frames)',
    test: ofLinks,
  },
  {
    rule: 'PEER-9',
    file: link,
    before: 'if (this.#silentMs >= limits.peerSilenceMsMax) {',
    after: 'if (this.#silentMs > limits.peerSilenceMsMax) {',
    test: ofLinks,
  },
  {
    rule: 'PEER-10',
    file: 'protocol/src/peer/frames.ts',
    before: 'const epoch = uint<Epoch>(limits.epochMax)',
    after: 'const epoch = uint<Epoch>()',
    test: ofPeers,
  },
  {
    rule: 'PEER-11',
    file: 'protocol/src/secret.ts',
    before: "  toJSON(): string {\n    return '***'",
    after: '  toJSON(): string {\n    return this.#text',
    test: ofLinks,
  },
  {
    rule: 'SERVER-18',
    file: options,
    before: 'if (servers.findIndex((other) => other.id === id) !== index) {',
    after: 'if (servers.findIndex((other) => other.id === id) > index) {',
    test: ofOptions,
  },
  {
    rule: 'SERVER-19',
    file: options,
    before: "if (place === 'secret') return `secret is ${issue.message}`",
    after: "if (place === '') return `secret is ${issue.message}`",
    test: ofOptions,
  },
  {
    rule: 'SERVER-20',
    file: server,
    before: 'if (!isLoopback(host)) {',
    after: 'if (host === own.host && !isLoopback(host) && own.peerPort !== null) {',
    test: ofOptions,
  },
  {
    rule: 'SERVER-21',
    file: 'server/src/incarnation.ts',
    before: 'hardState.voters.join() === config.voters.join()',
    after: 'config.voters.length > 0',
    test: ofOptions,
  },
  {
    rule: 'SERVER-22',
    file: server,
    before: "this.#listeners.clients.closeAll('resync')",
    after: "this.#listeners.clients.closeAll('shutdown')",
    test: ofOptions,
  },
  {
    rule: 'ADMIN-1',
    file: options,
    before: 'adminPort: adminPort ?? null,',
    after: 'adminPort: adminPort ?? 0,',
    test: ofAdmin,
  },
  {
    rule: 'ADMIN-2',
    file: admin,
    before: '{ status: 503, body',
    after: '{ status: 200, body',
    test: ofAdmin,
  },
  {
    rule: 'ADMIN-3',
    file: 'server/src/server-state.ts',
    before: '    id: settings.serverId,\n',
    after: '    id: settings.servers.length + 1,\n',
    test: ofAdmin,
  },
  {
    rule: 'ADMIN-4',
    file: metrics,
    before: 'gauge.set(of(now))',
    after: 'gauge.set(0 * of(now))',
    test: ofAdmin,
  },
  {
    rule: 'ADMIN-5',
    file: metrics,
    before: 'op: op.op,',
    after: 'op: JSON.stringify(op),',
    test: ofAdmin,
  },
  {
    rule: 'ADMIN-6',
    file: admin,
    before: "if (method !== 'GET') return",
    after: "if (method === 'PUT') return",
    test: ofAdmin,
  },
  {
    rule: 'RUN-1',
    file: 'server/src/ensemble.ts',
    before: 'await running.serving',
    after: 'void running.serving',
    test: ofEnsemble,
  },
  {
    rule: 'RUN-2',
    file: 'server/src/ensemble.ts',
    before: '    this.#running = null\n    await running?.stop()',
    after: '    this.#running = null\n    void running',
    test: ofEnsemble,
  },
  {
    rule: 'RUN-4',
    file: link,
    before: 'for (const frame of frames) this.#events.frame(frame)',
    after: 'for (const frame of frames.slice(1)) this.#events.frame(frame)',
    test: ofEnsemble,
  },
  {
    rule: 'RUN-3',
    file: server,
    before: '    this.#listeners.admin.close()\n',
    after: '',
    test: ofEnsemble,
  },
  {
    rule: 'CLI-31',
    file: 'server/src/cli/serve/serve-config.ts',
    before: 'beside[key] = resolve(dirname(file), path)',
    after: `beside[key] = resolve(dirname(file), '..', path)`,
    test: 'test/dist/server/cli/serve-config.test.js',
  },
  {
    rule: 'CLI-36',
    file: 'server/src/server-state.ts',
    before: '!isLoopback(settings.host)',
    after: '!isLoopback(settings.own.host) && settings.servers.length > 1',
    test: ofCli,
  },
  {
    rule: 'CLI-32',
    file: 'server/src/cli/status/status.ts',
    before: 'const rows = isGuess ? asked',
    after: 'const rows = !isGuess ? asked',
    test: ofCli,
  },
  {
    rule: 'CLI-33',
    file: 'server/src/cli/dev/dev.ts',
    before: 'output.warn(deathText(child, end, directory))',
    after: 'deathText(child, end, directory)',
    test: 'test/dist/server/cli/dev.test.js',
  },
  {
    rule: 'CLI-34',
    file: 'server/src/runtime/storage/set-aside.ts',
    before: 'if (isAlone && !mayLoseData) {',
    after: 'if (!isAlone && !mayLoseData) {',
    test: ofCli,
  },
  {
    rule: 'CLI-35',
    file: 'server/src/cli/serve/serve.ts',
    before: 'if (untilInputEnds === true) host',
    after: 'if (untilInputEnds === undefined) host',
    test: ofCli,
  },
]
