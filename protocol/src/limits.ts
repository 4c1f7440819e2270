/**
 * Every bound of the product, so that none is hidden. Names end in their unit.
 * A limit is a promise: nothing in Conclave is unbounded.
 */
export const limits = Object.freeze({
  dataBytesMax: 1_048_576,
  pathBytesMax: 1_024,
  pathDepthMax: 64,
  /** A WebSocket message: the largest data plus room for the rest of its frame. */
  frameBytesMax: 1_048_576 + 65_536,
  framesPerMessageMax: 4_096,
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

  childrenPageMax: 10_000,
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
  sequenceMax: Number.MAX_SAFE_INTEGER,
  ttlMsMax: 10 * 365 * 24 * 3_600_000,

  /** A client keeps at most this many writes unacknowledged; it acks early at the other two. */
  unackedWritesMax: 1_000,
  ackAfterResults: 500,
  ackAfterBytes: 65_536,
  /** A server holds the writes of a session over either of these. */
  resultsPerSessionMax: 1_000,
  resultBytesPerSessionMax: 262_144,
  resultBytesTotalMax: 268_435_456,
  tombstonesMax: 10_000,
  tombstoneAgeMsMax: 3_600_000,

  requestsPerSessionMax: 1_000,
  requestBytesPerServerMax: 67_108_864,
  /** A connection whose writes are held for missing acknowledgements and that has more queued than
   * this is closed; a client that keeps to the protocol has less in flight. */
  heldBytesPerConnectionMax: 33_554_432,
  connectionsMax: 10_000,
  passwordsWaitingMax: 256,
  watchesPerConnectionMax: 100_000,
  streamsPerConnectionMax: 1_000,
  streamEventsPerFrameMax: 1_000,
  historyBytesDefault: 67_108_864,

  outboxBytesSoft: 1_048_576,
  outboxBytesHard: 8_388_608,
  firstFrameMs: 5_000,

  /** A request unanswered this long makes the client probe; a probe this long makes it move. */
  probeAfterMs: 500,
  probeTimeoutMs: 1_000,

  tickMs: 50,
  heartbeatMs: 100,
  silenceMsMax: 1_000,
  electionSettleMs: 50,
  noQuorumMs: 3_000,
  serverIdMax: 255,
})
