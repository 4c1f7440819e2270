import type { Epoch, ServerFrame, ServerId, SessionId, Xid, Zxid } from '@conclave/protocol'
import type { PeerFrame, PeerFrameOf } from '@conclave/protocol/peer'
import t from 'tap'
import type { Persist } from '#server/core/effect.js'
import type { ConnectionId, Input, LinkId } from '#server/core/input.js'
import { Recovery } from '#server/core/recovery.js'
import { Replica } from '#server/core/replica.js'
import { create, ReplicaKit } from '../../support/replica-kit.js'

const voters = [1, 2, 3] as ServerId[]
const from = 2 as ServerId
const link = 12 as LinkId
const connection = 1 as ConnectionId

/**
 * The replica of a single server that has led epoch 1, started again with three voters; the frames
 * of server 2 are written by hand, and the disk completes when it is told to.
 */
class Voter {
  readonly replica: Replica
  readonly peerFrames: PeerFrame[] = []
  readonly clientFrames: ServerFrame[] = []
  readonly #writing: Persist[] = []
  readonly #start: ReplicaKit
  #nowMs = 1_000

  constructor() {
    this.#start = new ReplicaKit()
    this.#start.client().create('/before')
    const { config, log, commit, hardState } = this.#start
    const recovery = new Recovery({ ...config, voters })
    for (const txn of log) recovery.txn(txn)
    const epochs = [{ epoch: 1 as Epoch, firstZxid: 1 as Zxid }]
    const voting = hardState === null ? null : { ...hardState, voters }
    const recovered = recovery.finish({ hardState: voting, epochs, commit })
    this.replica = new Replica({ ...config, voters }, recovered)
  }

  get lastZxid(): Zxid {
    return this.#start.log.length as Zxid
  }

  step(...inputs: readonly Input[]): void {
    for (const input of inputs) this.replica.step(input)
    for (let again = true; again;) {
      again = false
      for (const effect of this.replica.drain()) {
        if (effect.effect === 'persist') this.#writing.push(effect)
        if (effect.effect === 'sendPeer') this.peerFrames.push(...effect.frames)
        if (effect.effect === 'sendClient') this.clientFrames.push(...effect.frames)
        again ||= effect.effect === 'again'
      }
    }
  }

  /** The own disk has all that was asked of it. */
  persist(): void {
    for (const { ticket } of this.#writing.splice(0)) this.step({ input: 'persisted', ticket })
  }

  tick(count = 1): void {
    for (let i = 0; i < count; i++) {
      this.#nowMs += 50
      const wallMs = 1_800_000_000_000 + this.#nowMs
      this.step({ input: 'tick', nowMs: this.#nowMs, wallMs })
    }
  }

  hear(frame: PeerFrame): void {
    this.step({ input: 'peerFrame', from, link, frame })
  }

  /** The last frame of that name sent to server 2. */
  sent<N extends PeerFrame['frame']>(name: N): PeerFrameOf<N> | undefined {
    return this.peerFrames.findLast((frame): frame is PeerFrameOf<N> => frame.frame === name)
  }

  /** Server 2 answers the last heartbeat. */
  confirm(): void {
    const beat = this.sent('heartbeat')
    if (beat !== undefined)
      this.hear({ ...beat, frame: 'heartbeatAck', hasSpace: true, digest: null } as PeerFrame)
  }

  /** Elects it by hand: votes, discovery and synchronization. */
  elect(): void {
    const epoch = 1 as Epoch
    const zxid = this.lastZxid
    const had = (zxid - 1) as Zxid // with an equal history the higher id would win
    this.tick()
    this.step({ input: 'peerOpened', from, link })
    const known = { rejoining: false, bootstrap: false }
    const vote = { vote: 1 as ServerId, currentEpoch: epoch, lastZxid: had, ...known }
    this.hear({
      frame: 'notification',
      epoch: 0 as Epoch,
      state: 'looking',
      ...vote,
      hasSpace: true,
    })
    this.tick(3)
    this.hear({ frame: 'followerInfo', epoch, acceptedFrom: 1 as ServerId, join: 1 })
    this.persist()
    const asked = this.sent('leaderInfo')
    const standing = { epoch: asked?.epoch ?? epoch, join: 1 }
    const last = { epoch, zxid: had }
    this.hear({ frame: 'ackEpoch', ...standing, currentEpoch: epoch, last, ...known })
    this.persist()
    this.hear({ frame: 'ackNewLeader', ...standing, zxid })
  }
}

t.test(
  'ZAB-7 the replica of a single server, told of three voters, does not lead alone',
  async (t) => {
    const voter = new Voter()
    voter.tick(200)
    voter.persist()
    voter.tick(200)
    t.equal(voter.replica.status.role, 'looking')
    t.equal(voter.replica.status.epoch, 1, 'it promised no epoch to itself')
  },
)

t.test('ZAB-8 ZAB-10 with a second voter it elects, synchronizes and leads', async (t) => {
  const voter = new Voter()
  voter.elect()
  t.equal(voter.replica.status.role, 'leading')
  t.equal(voter.replica.status.epoch, 2)
  t.match(voter.sent('diff'), { epoch: 2, join: 1, zxid: voter.lastZxid - 1 })
  t.match(voter.sent('proposal'), { txn: { zxid: voter.lastZxid, epoch: 1 } })
  t.match(voter.sent('newLeader'), { epoch: 2, join: 1, zxid: voter.lastZxid })
})

t.test('ZAB-9 a client is answered only on the second durable acknowledgement', async (t) => {
  const voter = new Voter()
  voter.elect()
  voter.step({ input: 'clientOpened', connection, address: '127.0.0.1' })
  const connect = {
    frame: 'connect',
    version: 1,
    sessionId: 0 as SessionId,
    nonce: new Uint8Array(32),
    attach: 1,
    sessionTimeoutMs: 10_000,
    lastZxidSeen: 0 as Zxid,
    ensembleId: null,
    ackedXid: 0 as Xid,
  } as const
  voter.step({ input: 'clientFrame', connection, frame: connect, bytes: 64 })
  voter.persist()
  t.strictSame(voter.clientFrames, [], 'durable on one of three')
  const second = voter.sent('proposal')?.txn.zxid ?? (0 as Zxid)
  voter.hear({ frame: 'ack', epoch: 2 as Epoch, join: 1, zxid: second })
  voter.confirm()
  t.match(voter.clientFrames, [{ frame: 'connected', sessionId: second }])

  const xids = { xid: 1 as Xid, ackedXid: 0 as Xid, refusedSeen: 0 as Xid }
  const request = { frame: 'request', ...xids, op: create('/after') } as const
  voter.step({ input: 'clientFrame', connection, frame: request, bytes: 64 })
  const third = voter.sent('proposal')?.txn.zxid ?? (0 as Zxid)
  voter.hear({ frame: 'ack', epoch: 2 as Epoch, join: 1, zxid: third })
  t.equal(voter.clientFrames.length, 1, 'the own disk counts like any other')
  voter.persist()
  t.match(voter.clientFrames[1], { frame: 'reply', xid: 1, zxid: third, failure: null })
  t.match(voter.sent('commit'), { zxid: third })
})
