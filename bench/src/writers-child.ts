import { answerParent } from './child.js'
import { CountingWriter, type Outcome, sumOf } from './counting-writer.js'

export type WritersQuestion =
  /** One writer at each of these servers from now on. */
  | { readonly spread: { readonly url: string; readonly servers: readonly number[] } }
  /** How much they can write in that time. */
  | { readonly saturate: { readonly seconds: number } }
  /** They write as much from now on; calls are made whether or not answers come. */
  | { readonly pace: { readonly perSecond: number } }
  /** Asked while they write: it is answered when each of them has an answer. */
  | { readonly gaps: true }
  | { readonly finish: true }

export type WritersAnswer =
  | { readonly perSecond: number }
  /** The longest time without an answer since the last time this was asked, of each writer. */
  | { readonly gapsMs: readonly number[] }
  | { readonly outcome: Outcome }
  | { readonly done: true }

let writers: CountingWriter[] = []
const finished: Outcome[] = []
let names = 0
let pacer: NodeJS.Timeout | null = null

/** Writers that are two at one server give way to new ones, until each server has one. */
const spread = async (url: string, servers: readonly number[]): Promise<void> => {
  const placed = new Map<number, CountingWriter>()
  const keep = async (writer: CountingWriter): Promise<void> => {
    const { serverId } = writer
    const isWanted = serverId !== null && servers.includes(serverId) && !placed.has(serverId)
    if (isWanted) placed.set(serverId, writer)
    else finished.push(await writer.finish())
  }
  const before = writers
  writers = []
  for (const writer of before) await keep(writer)
  while (placed.size < servers.length) await keep(await CountingWriter.open(url, `w${names++}`))
  writers = [...placed.values()]
}

const saturate = async (seconds: number): Promise<number> => {
  const startMs = performance.now()
  const before = answered()
  const untilMs = startMs + seconds * 1_000
  await Promise.all(writers.map((writer) => writer.saturate(inFlightEach, untilMs)))
  return ((answered() - before) * 1_000) / (performance.now() - startMs)
}

const answered = (): number => writers.reduce((sum, writer) => sum + writer.answered, 0)

const pace = (perSecond: number): void => {
  stopPace()
  const startMs = performance.now()
  let called = 0
  pacer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) * perSecond) / 1_000)
    for (; called < due; called++) {
      const writer = writers[called % writers.length]
      if (writer !== undefined && writer.inFlight < waitingEachMax) writer.call()
    }
  }, paceMs)
}

const stopPace = (): void => {
  if (pacer !== null) clearInterval(pacer)
}

const finish = async (): Promise<Outcome> => {
  stopPace()
  finished.push(...(await Promise.all(writers.map((writer) => writer.finish()))))
  writers = []
  return sumOf(finished.splice(0))
}

const inFlightEach = 100
const waitingEachMax = 20_000
const paceMs = 2

answerParent<WritersQuestion, WritersAnswer>(
  async (question) => {
    if ('gaps' in question) {
      return { gapsMs: await Promise.all(writers.map((writer) => writer.takeGapMs())) }
    }
    if ('finish' in question) return { outcome: await finish() }
    if ('saturate' in question) return { perSecond: await saturate(question.saturate.seconds) }
    if ('pace' in question) pace(question.pace.perSecond)
    else await spread(question.spread.url, question.spread.servers)
    return { done: true }
  },
  // Whoever wants to know how it ended has asked before; there may be no server to ask any more.
  async () => stopPace(),
)
