import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect } from '@conclave/client'
import { answerParent } from './child.js'
import type { Latencies } from './report.js'

export type ReaderQuestion =
  | { readonly read: { readonly url: string; readonly path: string } }
  | { readonly measure: true }

export type ReaderAnswer = { readonly latencies: Latencies | null }

const latencies = createHistogram()
let client: Client | null = null

/** A client that has nothing to do with the load, and reads one znode every few milliseconds. */
const readOn = async (reader: Client, path: string): Promise<void> => {
  while (client === reader) {
    const startMs = performance.now()
    await reader.get(path)
    latencies.record(Math.max(1, Math.round((performance.now() - startMs) * 1_000)))
    await sleep(pauseMs)
  }
}

const pauseMs = 2

const take = (): Latencies => {
  const { count, max } = latencies
  const at = (percent: number): number => latencies.percentile(percent) / 1_000
  const taken = { count, p50Ms: at(50), p99Ms: at(99), maxMs: count === 0 ? 0 : max / 1_000 }
  latencies.reset()
  return taken
}

answerParent<ReaderQuestion, ReaderAnswer>(
  async (question) => {
    if ('measure' in question) return { latencies: take() }
    client = await connect(question.read.url)
    await client.get(question.read.path)
    void readOn(client, question.read.path)
    return { latencies: null }
  },
  async () => {
    const reader = client
    client = null
    await reader?.close()
  },
)
