import type { Client } from '#client/index.js'
import type { Random } from '../random.js'
import type { Oracles } from './oracles.js'
import type { SimProcess } from './sim-process.js'

/** Who does something by recipes, in one session of one program. */
export interface User {
  /** Of the program. */
  readonly name: string
  readonly process: SimProcess
  readonly client: Client
  readonly random: Random
  readonly oracles: Oracles
  /** Another session. */
  readonly connect: () => Promise<Client>
  readonly sleep: (ms: number) => Promise<void>
  /** Something has come about as it should. */
  readonly done: (what: string) => void
  /** Something has ended otherwise. @throws what must not happen */
  readonly ended: (what: string, error: unknown) => void
}

/** Something that a program does, from its begin to its end. */
export type Activity = (user: User) => Promise<void>

/** Resolves to null when it ends with one of these errors. */
export const unless = async <T>(codes: readonly string[], doing: Promise<T>): Promise<T | null> => {
  try {
    return await doing
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (typeof code === 'string' && codes.includes(code)) return null
    throw error
  }
}

/** A signal that aborts after so long on average, and twice that at most. */
export const aboutFor = ({ sleep, random }: User, ms: number): AbortSignal => {
  const over = new AbortController()
  void sleep(random.between(0, 2 * ms)).then(() => over.abort(enough))
  return over.signal
}

/** Runs until its signal of {@link aboutFor} aborts, or it ends by itself. */
export const untilEnough = async (running: Promise<unknown>): Promise<void> => {
  try {
    await running
  } catch (error) {
    if (error !== enough) throw error
  }
}

const enough = new DOMException('enough', 'AbortError')
