import type { Mutation } from './mutation.js'

const listener = 'server/src/runtime/net/client-listener.ts'
const socket = 'server/src/runtime/net/client-socket.ts'
const handshake = 'server/src/runtime/net/handshake.ts'
const server = 'server/src/running-server.ts'
const compiled = (name: string): string => `test/dist/server/runtime/${name}.test.js`

/** What the loop, the client port and startServer decide. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'LIMIT-3',
    file: listener,
    before: 'this.#sockets.size >= this.#policy.connectionsMax',
    after: 'this.#sockets.size > this.#policy.connectionsMax',
    test: compiled('net/connections'),
  },
  {
    rule: 'LIMIT-5',
    file: listener,
    before: 'maxPayload: limits.frameBytesMax,',
    after: 'maxPayload: limits.frameBytesMax - 1,',
    test: compiled('net/connections'),
  },
  {
    rule: 'LIMIT-6',
    file: 'server/src/core/replica.ts',
    before: "this.#connections.close(connection, 'timeout')",
    after: "this.#connections.close(connection, 'noQuorum')",
    test: compiled('net/handshake'),
  },
  {
    rule: 'WIRE-3',
    file: socket,
    before: "this.close('badFrame')",
    after: "this.close('badVersion')",
    test: compiled('net/connections'),
  },
  {
    rule: 'WIRE-11',
    file: socket,
    before: "this.#write([{ frame: 'closing', reason: 'slowConsumer' }])",
    after: 'this.#write([])',
    test: compiled('net/slow-consumer'),
  },
  {
    rule: 'WIRE-12',
    file: socket,
    before: "socket.on('error', () => undefined)",
    after: "socket.on('error', (error) => setImmediate(() => Promise.reject(error)))",
    test: compiled('net/connections'),
  },
  {
    rule: 'WIRE-13',
    file: listener,
    before: 'perMessageDeflate: false,',
    after: 'perMessageDeflate: true,',
    test: compiled('net/handshake'),
  },
  {
    rule: 'WIRE-14',
    file: handshake,
    before: '!policy.allowOrigins.includes(origin)',
    after: '!policy.allowOrigins.some((each) => origin.startsWith(each))',
    test: compiled('net/handshake'),
  },
  {
    rule: 'WIRE-15',
    file: handshake,
    before: 'loopbackNames.has(name)',
    after: '[...loopbackNames].some((each) => name.startsWith(each))',
    test: compiled('net/handshake'),
  },
  {
    rule: 'STREAM-15',
    file: socket,
    before: 'this.#socket.bufferedAmount <= limits.outboxBytesHard)',
    after: 'this.#socket.bufferedAmount <= limits.outboxBytesHard * 2)',
    test: compiled('net/slow-consumer'),
  },
  {
    rule: 'ACL-5',
    file: 'server/src/runtime/password-worker.ts',
    before: "password.normalize('NFC')",
    after: 'password',
    test: compiled('net/passwords'),
  },
  {
    rule: 'SESSION-18',
    file: socket,
    before: "new Uint8Array(createHash('sha256').update(frame.nonce).digest())",
    after: "Buffer.concat([frame.nonce, createHash('sha256').digest().subarray(16)])",
    test: compiled('server'),
  },
  {
    rule: 'SERVER-1',
    file: listener,
    before: 'response.writeHead(426,',
    after: 'response.writeHead(400,',
    test: compiled('net/handshake'),
  },
  {
    rule: 'SERVER-2',
    file: listener,
    before: 'maxHeaderSize: 8_192,',
    after: 'maxHeaderSize: 16_384,',
    test: compiled('net/handshake'),
  },
  {
    rule: 'SERVER-3',
    file: listener,
    before: "socket.once('finish', () => socket.destroy())",
    after: "socket.once('finish', () => undefined)",
    test: compiled('net/handshake'),
  },
  {
    rule: 'SERVER-4',
    file: listener,
    before: 'connectionsCheckingInterval: 1_000,',
    after: 'connectionsCheckingInterval: 600_000,',
    test: compiled('net/handshake'),
  },
  {
    rule: 'SERVER-5',
    file: listener,
    before: 'clientTracking: false,',
    after: 'clientTracking: false, autoPong: false,',
    test: compiled('net/slow-consumer'),
  },
  {
    rule: 'SERVER-6',
    file: 'server/src/runtime/password-hasher.ts',
    before: 'this.#waiting.size >= limits.passwordsWaitingMax',
    after: 'this.#waiting.size > limits.passwordsWaitingMax',
    test: compiled('net/passwords'),
  },
  {
    rule: 'SERVER-7',
    file: 'server/src/start-error.ts',
    before: "'portInUse',",
    after: "'address',",
    test: compiled('server'),
  },
  {
    rule: 'SERVER-8',
    file: 'server/src/server-options.ts',
    before: '/^127(\\.\\d+){3}$/.test(host)',
    after: '/^127/.test(host)',
    test: compiled('server'),
  },
  {
    rule: 'SERVER-9',
    file: server,
    before: "node.input({ input: 'shutdown' })",
    after: 'listener.terminate()',
    test: compiled('server'),
  },
  {
    rule: 'SERVER-10',
    file: server,
    before: 'this.#ending.reject(error)',
    after: 'this.#ending.resolve()',
    test: compiled('server'),
  },
  {
    rule: 'SERVER-11',
    file: server,
    before: 'directory: options.data,',
    after: 'directory: `${options.data}/${process.hrtime.bigint()}`,',
    test: compiled('server'),
  },
]
