import { answerParent } from '../child.js'
import { Connections, type Opening } from './connections.js'
import { firstWrite } from './first-write.js'
import type { Broadcast, BroadcastResult, Load, LoadResult } from './load.js'

export type LoadQuestion =
  /** When those that were open are closed. */
  | { readonly open: Opening }
  | { readonly run: Load }
  | { readonly broadcast: Broadcast }
  /** Connections that none of those that are open is part of. */
  | { readonly firstWrite: Opening }
  | { readonly close: true }

export type LoadAnswer =
  | { readonly result: LoadResult }
  | { readonly broadcast: BroadcastResult }
  | { readonly done: true }
  /** What a connection found wrong. */
  | { readonly fault: string }

let connections = new Connections()

const answer = async (question: LoadQuestion): Promise<LoadAnswer> => {
  if ('run' in question) return { result: await connections.run(question.run) }
  if ('broadcast' in question) {
    return { broadcast: await connections.broadcast(question.broadcast) }
  }
  if ('firstWrite' in question) await firstWrite(question.firstWrite)
  else {
    const before = connections
    connections = new Connections()
    await before.close()
    if ('open' in question) await connections.open(question.open)
  }
  return { done: true }
}

answerParent<LoadQuestion, LoadAnswer>(
  (question) => answer(question).catch((error: Error) => ({ fault: error.message })),
  () => connections.close(),
)
