import type { Bug } from './bug.js'

const pipeline = 'server/src/core/pipeline'
const tests = 'test/dist/server/core'

/** Sessions, ephemerals, exactly-once results: bugs that leave a ghost or do a thing twice. */
export const sessionBugs: readonly Bug[] = [
  {
    bug: 'ZOOKEEPER-2355',
    story: 'an ephemeral that is still on its way outlives the end of its session',
    rule: 'SESSION-12',
    file: `${pipeline}/outstanding.ts`,
    before: 'of this.#ephemerals.get(sessionId)?.keys() ?? []) {',
    after: 'of [] as string[]) {',
    test: `${tests}/session/life.test.js`,
  },
  {
    bug: 'ZOOKEEPER-1208',
    story: 'an ephemeral is created after the end of its session was proposed',
    rule: 'SESSION-11',
    file: `${pipeline}/leadership.ts`,
    before: "if (outstanding?.isClosing === true) return refused('sessionExpired')",
    after: '',
    test: `${tests}/session/life.test.js`,
  },
  {
    bug: 'ZOOKEEPER-2926',
    story: 'a session is granted before its creation is committed',
    rule: 'SESSION-1',
    file: `${pipeline}/attaching.ts`,
    before: 'this.#creations.set(key, connection)',
    after: `this.#creations.set(key, connection)
    const { ensembleId, lastApplied: { zxid } } = this.#state
    const [session, { serverId }] = [{ sessionId: 2, sessionTimeoutMs: timeoutMs }, this.#config]
    const granted = { frame: 'connected', ...session, ensembleId, zxid, serverId, resumed: false }
    this.#connections.send(connection.id, granted as never)`,
    test: `${tests}/session/attach.test.js`,
  },
  {
    bug: 'ZOOKEEPER-3144',
    story: 'a snapshot holds a session as it became after the zxid of the snapshot',
    rule: 'ZNODE-19',
    file: 'server/src/core/session/session-table.ts',
    before: `this.#frozen?.touch(entry)
    const { results }`,
    after: 'const { results }',
    test: `${tests}/tree/snapshot.test.js`,
  },
  {
    bug: 'etcd#15247',
    story: 'a leader that was paused ends the sessions that it did not hear meanwhile',
    rule: 'SESSION-16',
    file: 'server/src/core/session/expiry.ts',
    before: 'Math.min(Math.max(nowMs - this.#lastNowMs, 0), 2 * limits.tickMs)',
    after: 'Math.max(nowMs - this.#lastNowMs, 0)',
    test: `${tests}/session/life.test.js`,
  },
  {
    bug: 'etcd#12528',
    story: 'a server that nobody follows any more says that sessions are alive',
    rule: 'SIM-1',
    file: `${pipeline}/serving.ts`,
    before: 'connection.pings.push({ id: frame.id, round: null })',
    after: `const { zxid } = this.#state.lastApplied
    this.#connections.send(connection.id, { frame: 'pong', id: frame.id, zxid })`,
    test: 'test/dist/sim/sim.test.js',
  },
  {
    bug: 'etcd#20615',
    story: 'a session whose end is decided is told that it is alive',
    rule: 'SESSION-14',
    file: `${pipeline}/serving.ts`,
    before: 'if (isEnding(connection.sessionId)) return connection.unanswerPings(round)',
    after: 'if (isEnding(connection.sessionId)) connection.unanswerPings(0)',
    test: `${tests}/session/life.test.js`,
  },
  {
    bug: 'Keeper#116690',
    story: 'a client that comes back to an unknown session silently gets a new one',
    rule: 'ONCE-11',
    file: `${pipeline}/attaching.ts`,
    before: "if (known === undefined) this.#end(connection, 'unknown')",
    after: `const { phase } = connection
    if (known === undefined) {
      if (phase.phase !== 'connecting' || this.#leader === null) return
      this.#create(connection, { ...phase.connect, sessionId: 0 as SessionId }, this.#leader)
    }`,
    test: `${tests}/pipeline/once-results.test.js`,
  },
  {
    bug: 'KAFKA-1387',
    story: 'the reply to a connect is lost, and the repeated connect leaves a ghost session',
    rule: 'SESSION-3',
    file: `${pipeline}/attaching.ts`,
    before: 'if (existing !== undefined) {',
    after: 'if (existing !== undefined && connect.attach < 0) {',
    test: `${tests}/session/attach.test.js`,
  },
  {
    bug: 'ZOOKEEPER-417',
    story: 'a write of a connection that the session has left is carried out',
    rule: 'SESSION-19',
    file: `${pipeline}/session-homes.ts`,
    before: 'home?.answers === answers && home.attach === attach ?',
    after: 'home?.answers === answers && attach > 0 ?',
    test: `${tests}/session/attach.test.js`,
  },
  {
    bug: 'CURATOR-45',
    story: 'a create whose reply was lost is carried out again when it is sent again',
    rule: 'ONCE-2',
    file: `${pipeline}/leadership.ts`,
    before: 'if (isOutstanding || session.results.get(xid) !== undefined) {',
    after: `if (session.results.get(xid) !== undefined) this.#writeNew(request, session, home)
    if (isOutstanding || session.results.get(xid) !== undefined) {`,
    test: `${tests}/pipeline/once.test.js`,
  },
  {
    bug: 'CURATOR-3',
    story: 'a write that may yet be carried out is said not to have been',
    rule: 'ONCE-3',
    file: `${pipeline}/leadership.ts`,
    before: 'const isOutstanding = outstanding?.xids.has(xid) === true',
    after: 'const isOutstanding = outstanding?.xids.has(xid) === true && xid < 0',
    test: `${tests}/pipeline/once.test.js`,
  },
  {
    bug: 'etcd#13766',
    story: 'what a txn did and that it was done go apart over a restart',
    rule: 'ONCE-16',
    file: 'server/src/core/session/session-table.ts',
    before: 'results: Results.fromEntries(entry.results),',
    after: 'results: Results.fromEntries([]),',
    test: `${tests}/pipeline/once.test.js`,
  },
  {
    bug: 'Jepsen etcd 3.4.3',
    story: 'a lock that was lost and granted to another still guards the writes of the first',
    rule: 'MULTI-9',
    file: `${pipeline}/prepare.ts`,
    before: 'if (znode === undefined || znode.czxid !== fence.czxid) {',
    after: 'if (znode === undefined) {',
    test: `${tests}/pipeline/multi-guards.test.js`,
  },
  {
    bug: 'ZOOKEEPER-1046',
    story: 'the number of a sequential znode is taken from what can fall',
    rule: 'ZNODE-6',
    file: `${pipeline}/prepare-change.ts`,
    before: 'sequenceSuffix(parent.childrenCreated)',
    after: 'sequenceSuffix(parent.numChildren)',
    test: `${tests}/tree/sequence.test.js`,
  },
]
