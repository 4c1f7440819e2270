import { limits } from '@conclave/protocol'

/** Bounds of the SDK alone; those that both sides know are in the protocol's `limits`. */
export const bounds = Object.freeze({
  /** A server that does not even accept a connection in this time is left for the next one. */
  openTimeoutMs: 2_000,
  /** A server that answers probes but never the connect frame is left after this time. */
  attachTimeoutMs: limits.noQuorumMs,
  /** The first attempt after a loss waits up to this long, drawn evenly. */
  firstRetryMsMax: 50,
  /** From the second round through the list of servers on, doubled each round. */
  retryMsMin: 100,
  retryMsMax: 2_000,
  /** How long a refused request that must be sent again waits. */
  refusedPauseMs: 100,
  refusedPauseMsMax: 2_000,

  /** How many connections one read may cost by an answer that is too large. */
  tooLargeAnswersMax: 3,

  /** What is sent and unanswered, in bytes, unless it is a single request. */
  inFlightBytesMax: 16_777_216,
  /** What waits inside the SDK. */
  waitingRequestsMax: 1_000_000,
  waitingBytesMax: 268_435_456,
  /** Frames are gathered into messages of about this size. */
  messageBytesTarget: 262_144,
  framesPerMessage: 2_048,
  rearmBytesMax: limits.pageBytesMax,
  /** What of a stream waits for its loop; beyond either the stream stops. */
  bufferEvents: 1_000,
  bufferEventsMax: 100_000,
  bufferBytesMax: 8_388_608,
  /** Unanswered pings that are remembered. */
  pingsMax: 16,
})
