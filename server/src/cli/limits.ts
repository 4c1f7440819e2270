import { limits } from '@conclave/client'

/** The longest time that an option can name. */
export const durationMaxMs = limits.ttlMsMax

/** The longest wait that a timer can count. */
export const timeoutMaxMs = 2_147_483_647

/** How long a command looks for a server, unless told otherwise. */
export const connectTimeoutMs = 5_000

/** When a person is told that no server has answered yet. */
export const noServerNoteMs = 1_000

/** How long a command waits for one answer, unless told otherwise. */
export const answerTimeoutMs = 10_000

/** How long the end of a command may take: the session is closed with its ephemerals. */
export const closeTimeoutMs = 2_000

/** What is read from a file or from stdin: more than any znode or multi may hold. */
export const inputBytesMax = 16 * 1_048_576

/** How many lines a shell remembers. */
export const historyLinesMax = 1_000

/** How many children a completion looks at, and how long it may take. */
export const completionChildrenMax = 1_000
export const completionTimeoutMs = 1_500

/** How many watches may run in the background of a shell. */
export const backgroundJobsMax = 100
