import type { Mutation } from './mutation.js'

const budget = 'server/src/core/pipeline/turn-budget.ts'
const turns = 'test/dist/server/core/pipeline/turns.test.js'
const messages = 'test/dist/hostile/messages.test.js'

/** What keeps one client from being felt by another. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'LIMIT-12',
    file: budget,
    before: 'if (this.#looks < limits.looksPerTurnMax) return false',
    after: 'if (this.#looks >= 0) return false',
    test: turns,
  },
  {
    // Who has waited is asked again before those who still wait.
    rule: 'LIMIT-12',
    file: budget,
    before: 'if (this.#looks >= limits.looksPerTurnMax) return',
    after: 'if (this.#looks >= limits.looksPerTurnMax) this.#waiting.clear()',
    test: turns,
  },
  {
    rule: 'LIMIT-12',
    file: 'server/src/core/pipeline/leadership.ts',
    before: 'this.#budget.spend(looksOfWrite(op))',
    after: 'this.#budget.spend(looksOfWrite(op) * 0)',
    test: 'test/dist/server/core/pipeline/turns.test.js',
  },
  {
    rule: 'LIMIT-13',
    file: 'server/src/core/pipeline/leadership.ts',
    before: 'this.#state.sessions.size + this.#newNonces.size >= limits.sessionsMax',
    after: 'this.#state.sessions.size >= limits.sessionsMax',
    test: turns,
  },
  {
    rule: 'LIMIT-13',
    file: 'server/src/core/pipeline/leadership.ts',
    before: "return 'tooManyConnections'",
    after: "return 'noQuorum'",
    test: turns,
  },
  {
    rule: 'LIMIT-14',
    file: 'server/src/runtime/net/client-listener.ts',
    before: 'this.#http.maxConnections = policy.socketsMax',
    after: '',
    test: 'test/dist/server/runtime/net/socket-room.test.js',
  },
  {
    rule: 'LIMIT-15',
    file: 'server/src/runtime/net/shared-bound.ts',
    before: 'return this.#bytes <= this.#bytesMax || held * this.#holdings.size <= this.#bytesMax',
    after: 'return this.#bytes <= this.#bytesMax || held > 0',
    test: 'test/dist/server/runtime/net/slow-consumer.test.js',
  },
  {
    rule: 'LIMIT-15',
    file: 'server/src/runtime/net/client-socket.ts',
    before: 'this.#bytesAtMessage = this.#stream.bytesRead\n    this.#wait(false)',
    after: 'this.#wait(false)',
    test: 'test/dist/server/runtime/net/slow-consumer.test.js',
  },
  {
    rule: 'LIMIT-18',
    file: 'server/src/runtime/net/message-turns.ts',
    before: ' || bytes <= limits.messageBytesSmall',
    after: '',
    test: 'test/dist/server/runtime/net/message-turns.test.js',
  },
  {
    rule: 'LIMIT-18',
    file: 'server/src/runtime/net/message-turns.ts',
    before: 'next.credit < next.bytes',
    after: 'next.credit < 0',
    test: 'test/dist/server/runtime/net/message-turns.test.js',
  },
  {
    rule: 'LIMIT-18',
    file: 'server/src/runtime/net/client-socket.ts',
    before: 'mayAct = false',
    after: 'mayAct = true',
    test: 'test/dist/server/runtime/net/message-turns.test.js',
  },
  {
    rule: 'LIMIT-18',
    file: 'server/src/runtime/net/client-socket.ts',
    before: 'this.#frames.slice(framesPerTurn)',
    after: '[]',
    test: 'test/dist/server/runtime/net/message-turns.test.js',
  },
  {
    rule: 'LIMIT-19',
    file: 'server/src/core/zab/delivery.ts',
    before: 'this.isBehind && this.#room > 0',
    after: 'this.isBehind',
    test: 'test/dist/server/core/zab/zab-single.test.js',
  },
  {
    rule: 'LIMIT-19',
    file: 'server/src/core/zab/leader.ts',
    before: 'return this.isEstablished && lastApplied >= this.#initialZxid',
    after: 'return this.isEstablished && lastApplied >= 0',
    test: 'test/dist/server/core/zab/zab-single.test.js',
  },
  {
    rule: 'LIMIT-21',
    file: 'server/src/core/pipeline/connections.ts',
    before: 'taken.length < limits.resumedPerTurnMax',
    after: 'taken.length < 4 * limits.resumedPerTurnMax',
    test: 'test/dist/server/core/pipeline/leader-change.test.js',
  },
  {
    rule: 'DISK-11',
    file: 'server/src/runtime/storage/segment.ts',
    before: 'if (!areEpochs(epochs)) return',
    after: 'if (!areEpochs(epochs) && epochs.length > 1_000) return',
    test: 'test/dist/server/runtime/storage/damage.test.js',
  },
  {
    rule: 'DISK-15',
    file: 'server/src/runtime/storage/log-recovery.ts',
    before: ' && commit <= preceding.position.zxid',
    after: '',
    test: 'test/dist/server/runtime/storage/damage.test.js',
  },
  {
    rule: 'SERVER-17',
    file: 'server/src/runtime/net/refusal-log.ts',
    before: 'this.#unsaid += 1',
    after: 'this.#unsaid = 1',
    test: 'test/dist/server/runtime/net/refusal-log.test.js',
  },
  {
    rule: 'WIRE-18',
    file: 'protocol/src/codec/msgpack.ts',
    before: 'if (isText(token) && !isUtf8(bytes, at, at + length))',
    after: 'if (token >= 0xd9 && isText(token) && !isUtf8(bytes, at, at + length))',
    test: messages,
  },
  {
    rule: 'WIRE-18',
    file: 'protocol/src/utf8.ts',
    before: '0xed: [0x80, 0x9f],',
    after: '',
    test: messages,
  },
]
