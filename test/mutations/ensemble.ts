import type { Mutation } from './mutation.js'

const pipeline = 'server/src/core/pipeline'
const followers = 'test/dist/server/core/pipeline/followers.test.js'
const leaderChange = 'test/dist/server/core/pipeline/leader-change.test.js'
const asks = 'test/dist/server/core/zab/zab-asks.test.js'

/** Clients of any server, and the leader's word. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'ENSEMBLE-1',
    file: 'server/src/core/replica.ts',
    before: 'this.#leaders.follow()',
    after: '',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-2',
    file: `${pipeline}/remote-leader.ts`,
    before: 'this.#partBytes >= limits.askBytesPerFrame',
    after: 'this.#partBytes < 0',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-2',
    file: `${pipeline}/remote-leader.ts`,
    before: 'if (part === undefined || isFull) {',
    after: 'if (part === undefined || isFull || bytes > 0) {',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-3',
    file: `${pipeline}/attaching.ts`,
    before: `    } else {
      this.#claim(connection, connect, leader)
    }`,
    after: `    } else if (this.#state.sessions.get(connect.sessionId) === undefined) {
      this.#refuse(connection, connect)
    } else {
      this.#claim(connection, connect, leader)
    }`,
    test: followers,
  },
  {
    rule: 'ENSEMBLE-4',
    file: `${pipeline}/session-homes.ts`,
    before: 'home.answers.moved(sessionId, attach)',
    after: 'home.answers.moved(sessionId, 0)',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-4',
    file: `${pipeline}/session-homes.ts`,
    before: 'home?.answers === answers && home.attach === attach ? home : undefined',
    after: 'home ?? (answers === null || attach < 0 ? undefined : home)',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-5',
    file: `${pipeline}/leadership.ts`,
    before: 'if (turn <= home.heldTurn)',
    after: 'if (turn < home.heldTurn)',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-6',
    file: `${pipeline}/leadership.ts`,
    before: 'if (isPassing && xid > home.refusedXid) home.refusedXid = xid',
    after: 'if (isPassing && xid < 0) home.refusedXid = xid',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-6',
    file: `${pipeline}/serving.ts`,
    before: '...known, refusedXid, identities })',
    after: '...known, refusedXid: (refusedXid * 0) as Xid, identities })',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-7',
    file: `${pipeline}/learner-desk.ts`,
    before: 'this.#desk.touch(sessionId)',
    after: '',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-7',
    file: `${pipeline}/connection.ts`,
    before: 'ping.round = Infinity',
    after: 'ping.round = round',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-7',
    file: `${pipeline}/remote-leader.ts`,
    before: 'this.#isTicked = true',
    after: 'this.#isTicked = false',
    test: followers,
  },
  {
    rule: 'LIMIT-20',
    file: `${pipeline}/serving.ts`,
    before: 'connection.pings.length >= limits.pingsPerConnectionMax',
    after: 'connection.pings.length >= limits.pingsPerConnectionMax * 2',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-8',
    file: `${pipeline}/remote-leader.ts`,
    before: 'if (head.zxid > zxid) return',
    after: 'if (head.zxid > zxid + 1) return',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-8',
    file: `${pipeline}/learner-desk.ts`,
    before: 'if (head.own > round) break',
    after: 'if (head.own > round + 1) break',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-8',
    file: `${pipeline}/leader-access.ts`,
    before: 'if (head.zxid > applied) return',
    after: 'if (head.zxid > applied + 1_000) return',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-9',
    file: `${pipeline}/connection.ts`,
    before: 'this.#takeBack(0)',
    after: '',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-9',
    file: `${pipeline}/serving.ts`,
    before: 'this.#leader?.claim({ connection: id',
    after: 'if (id < 0) this.#leader?.claim({ connection: id',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-10',
    file: `${pipeline}/serving.ts`,
    before: "return request.kind !== 'linearizable' || this.#leader !== null",
    after: 'return this.#leader !== null',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-11',
    file: `${pipeline}/leader-access.ts`,
    before: 'return this.#behind === null || nowMs - this.#behind.sinceMs < limits.noQuorumMs',
    after: 'return this.#behind === null || nowMs - this.#behind.sinceMs < limits.noQuorumMs * 2',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-12',
    file: `${pipeline}/learner-desk.ts`,
    before: 'if (mayWait && this.#budget',
    after: 'if (!mayWait && this.#budget',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-13',
    file: `${pipeline}/leadership.ts`,
    before: 'if (home !== undefined) home.identities = identities',
    after: 'if (home === undefined) this.identify(connection, identities, answers)',
    test: followers,
  },
  {
    rule: 'ENSEMBLE-60',
    file: `${pipeline}/learner-desk.ts`,
    before: 'if (!this.#isOpen || zxid > applied) return',
    after: 'if (!this.#isOpen || zxid > applied + 1_000) return',
    test: 'test/dist/server/core/pipeline/leader-desks.test.js',
  },
  {
    rule: 'ENSEMBLE-60',
    file: `${pipeline}/leader-desk.ts`,
    before: 'if (head.zxid > zxid) return',
    after: 'if (head.zxid > zxid + 1) return',
    test: 'test/dist/server/core/pipeline/leader-desks.test.js',
  },
  {
    rule: 'ENSEMBLE-14',
    file: `${pipeline}/leader-desk.ts`,
    before: 'if (head.round > round) break',
    after: '',
    test: leaderChange,
  },
  {
    rule: 'ENSEMBLE-14',
    file: `${pipeline}/leader-access.ts`,
    before: 'for (const desk of this.#access.learners.values()) desk.close()',
    after: '',
    test: followers,
  },
  {
    rule: 'ZAB-43',
    file: 'server/src/core/zab/leader.ts',
    before: 'if (learner.toldCommitted !== null) this.#context.host.asked(from, frame)',
    after: 'this.#context.host.asked(from, frame)',
    test: asks,
  },
  {
    rule: 'ZAB-43',
    file: 'server/src/core/zab/roster.ts',
    before: 'if (isKnown) this.#host.learnerLost(id)',
    after: 'if (!isKnown) this.#host.learnerLost(id)',
    test: asks,
  },
]
