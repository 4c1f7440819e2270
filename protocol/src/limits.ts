/**
 * Every bound of the product, so that none is hidden. Names end in their unit.
 * A limit is a promise: nothing in Conclave is unbounded.
 */
export const limits = Object.freeze({
  dataBytesMax: 1_048_576,
  pathBytesMax: 1_024,
  /** With the number of a sequential znode behind it. */
  storedPathBytesMax: 1_088,
  pathDepthMax: 64,
  /** A WebSocket message: the largest data plus room for the rest of its frame. */
  frameBytesMax: 1_048_576 + 65_536,
  framesPerMessageMax: 4_096,
  /** What a server acts on in a turn, but for messages that are small; one at least. */
  messageBytesPerTurnMax: 32_768,
  messageBytesSmall: 512,
  /** How deep the arrays of a message may be nested; what is well-formed stays far below. */
  nestingMax: 32,
  /** What a list may hold to be decoded at all; what it should hold is judged afterwards. */
  decodedItemsMax: 4_096,

  multiOpsMax: 128,
  multiReadOpsMax: 128,
  multiBytesMax: 1_048_576,
  aclEntriesMax: 64,
  aclIdBytesMax: 512,
  identitiesMax: 16,
  userBytesMax: 256,
  passwordBytesMax: 256,
  valueCompareBytesMax: 65_536,

  childrenPageMax: 2_000,
  pageBytesMax: 524_288,
  countPiece: 10_000,
  deletePiece: 1_000,
  cursorBytesMax: 2_048,
  rearmPathsMax: 4_096,

  nonceBytes: 16,
  nonceHashBytes: 32,
  ensembleIdBytesMax: 64,

  sessionTimeoutMsMin: 1_000,
  sessionTimeoutMsMax: 60_000,
  sessionTimeoutMsDefault: 10_000,
  ephemeralsPerSessionMax: 10_000,
  /** Of what they add to the one txn that deletes them, without the ACLs of their parents. Ten
   * thousand open ones with the longest paths take 11 million. */
  ephemeralBytesPerSessionMax: 16_777_216,
  /** The largest txn is the end of a session: its ephemerals as above, and the ACL of each of their
   * parents, at most 10,000 of 64 entries with 16 + 512 bytes each, or 338 million, and 1 KiB. */
  recordBytesMax: 402_653_184,
  sequenceMax: Number.MAX_SAFE_INTEGER,
  /** The number after the last zxid is a number too. */
  zxidMax: Number.MAX_SAFE_INTEGER - 1,
  /** Far above what elections can reach; one more of it is a number too. */
  epochMax: 281_474_976_710_656,
  /** The last zxids are kept for sessions to begin and end, so that all can be read to the end. */
  zxidsForSessions: 1_000_000,
  ttlMsMax: 10 * 365 * 24 * 3_600_000,

  /** A client keeps at most this many writes unacknowledged; it acks early at the other two. */
  unackedWritesMax: 1_000,
  ackAfterResults: 500,
  ackAfterBytes: 65_536,
  /** A server holds the writes of a session over either of these. */
  resultsPerSessionMax: 1_000,
  resultBytesPerSessionMax: 262_144,
  /** What the results of all open sessions are kept within by giving none more than a part of what
   * is free; each may have the guaranteed bytes even when nothing is. */
  liveResultBytesMax: 134_217_728,
  resultBytesGuaranteed: 16_384,
  resultSharesOfFree: 64,
  /** The same for tombstones: those of all open sessions have room, should all end at once. */
  tombstoneResultBytesMax: 134_217_728,
  acknowledgedSessionsPerTxnMax: 1_000,
  tombstonesMax: 10_000,
  tombstoneAgeMsMax: 3_600_000,

  requestsPerSessionMax: 1_000,
  /** Writes that a server has handed to its leader and not answered; the others wait in queues. */
  writesInFlightMax: 1_024,
  requestBytesPerServerMax: 67_108_864,
  /** A connection whose writes are held for missing acknowledgements and that has more queued than
   * this is closed; a client that keeps to the protocol has less in flight. */
  heldBytesPerConnectionMax: 33_554_432,
  connectionsMax: 10_000,
  /** Sockets on their way to become a connection or to be closed. */
  handshakesMax: 10_000,
  /** Of the files that the system lets the server open: what no socket may take. */
  openFilesReserved: 128,
  sessionsMax: 100_000,
  passwordsWaitingMax: 256,
  /** Znodes and txns that the requests of one turn look at before others have to wait. */
  looksPerTurnMax: 2_000,
  /** Of committed txns, each of which counts as one more. */
  changesPerTurnMax: 128,
  /** Connections that learn of a change of the leader in one turn, those apart that ask. */
  resumedPerTurnMax: 256,
  watchesPerConnectionMax: 100_000,
  streamsPerConnectionMax: 1_000,
  streamEventsPerFrameMax: 1_000,
  historyBytesDefault: 16_777_216,
  /** Kept however little is asked for: who reads the log's segments steps over to memory by it. */
  historyBytesMin: 1_048_576,
  /** Pieces of the own log under way from the disk at one time, and the size at which one ends. */
  logReadsMax: 2,
  logPieceBytes: 262_144,
  /** Of a snapshot on its way to a learner, one at a time. */
  snapshotPieceBytes: 262_144,
  /** Servers compare the digests of their states at every so many txns, while they remember. */
  digestTxns: 128,
  digestsKept: 64,
  /** How far a leader sends ahead of what a learner has said to be durable; one txn at least. */
  learnerBytesAheadMax: 2_097_152,
  /** What of it a turn sends to each: 360 txns of 100 bytes, which take 2 ms to encode. */
  learnerBytesPerTurnMax: 262_144,

  outboxBytesSoft: 1_048_576,
  outboxBytesHard: 8_388_608,
  /** Of all connections together: answers that were not read, and messages that were not ended. */
  outboxBytesPerServerMax: 268_435_456,
  unfinishedBytesPerServerMax: 268_435_456,
  firstFrameMs: 5_000,

  /** Of the pings of a connection that wait for their answer the last ones are remembered. */
  pingsPerConnectionMax: 16,

  /** A request unanswered this long makes the client probe; a probe this long makes it move. */
  probeAfterMs: 500,
  probeTimeoutMs: 1_000,

  /** What a server asks of its leader in one frame, and what the leader answers in one. */
  asksPerFrameMax: 4_096,
  askBytesPerFrame: 1_048_576,

  tickMs: 50,
  heartbeatMs: 100,
  silenceMsMax: 1_000,
  /** A leader whose disk or event loop answers no sooner leaves, if others can do without it. */
  stallMsMax: 1_000,
  /** What a leader that shuts down waits for: its clients' answers, then what is proposed. */
  handoverMsMax: 3_000,
  electionSettleMs: 50,
  noQuorumMs: 3_000,
  serverIdMax: 255,

  /** Between servers: what frames that go together are split at, so that none takes a turn of
   * the event loop for itself. One frame may be larger. */
  peerMessageBytes: 262_144,
  /** The largest frame carries the largest txn. */
  peerMessageBytesMax: 402_653_184 + 65_536,
  /** A peer that lets this much pile up does not read. */
  peerOutboxBytesMax: 67_108_864,
  peerHandshakeMs: 5_000,
  /** What may be sent before a proof of who it is, and how many may try at one time. */
  peerHandshakeBytesMax: 4_096,
  peerHandshakesMax: 32,
  /** On the admin port at one time: with the peers within what is reserved for files. */
  adminConnectionsMax: 16,
  peerSilenceMsMax: 3_000,
  peerProbeMs: 1_000,
  peerRedialMsMin: 50,
  peerRedialMsMax: 1_000,
  peerChallengeBytes: 32,
  secretCharactersMin: 16,
  secretCharactersMax: 1_024,
})
