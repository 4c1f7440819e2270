import type { Client } from '../../client.js'
import { type Codec, json } from '../../codecs.js'
import { BadVersionError, NodeExistsError, NoNodeError, UndecodableError } from '../../errors.js'
import type { ReadOptions, WaitOptions } from '../../options.js'
import { childPath, inDirectory } from '../znodes.js'
import { type RolloutStage, stagesOf } from './stages.js'

/**
 * How versions stand in the tree: each in a znode of its own that is never changed, and beside them
 * `head`, which says which one counts and which one is being rolled out. Every change is one
 * transaction that names the version of `head` it was decided on.
 */

/** What `head` says. */
export interface Head {
  /** The version that counts; 0 while there is none. */
  readonly version: number
  readonly rollout: RolloutState | null
}

/** A version on its way to all nodes. */
export interface RolloutState {
  readonly version: number
  readonly stages: readonly RolloutStage[]
  /** The stage under way, from 0. */
  readonly stage: number
}

/** `head` as it was read. */
export interface HeadSeen extends Head {
  /** Of the znode; -1 when it is missing. */
  readonly znodeVersion: number
  /** When it was written, by the servers' clock. */
  readonly atMs: number
}

/** A version that is there. */
export type Kept = Pick<ConfigChange, 'version' | 'atMs'>

/** What a version says besides its document. */
export interface ConfigChange {
  /** From 1, higher for every later one. */
  readonly version: number
  /** The `id` of the store that wrote it. */
  readonly by: string | null
  readonly note: string | null
  /** The version whose document this one brought back; null when it is a new one. */
  readonly restores: number | null
  /** The version whose rollout it ended; null when it ended none. */
  readonly abandons: number | null
  /** When it was written, by the servers' clock. */
  readonly atMs: number
}

/** A version with its document. */
export interface ConfigVersion<T> extends ConfigChange {
  readonly document: T
}

/** A version as it stands in the tree: its document may be anything. */
export type Entry = ConfigVersion<unknown>

/** A version to be written. */
export type NewEntry = Omit<Entry, 'version' | 'atMs'>

const removalsMax = 100
/** So many fit well into one answer of small documents; more are asked for again. */
const readsMax = 16

export class Versions {
  readonly headPath: string
  readonly #client: Client
  readonly #directory: string
  readonly #historyMax: number

  constructor(client: Client, path: string, historyMax: number) {
    this.#client = client
    this.headPath = childPath(path, 'head')
    this.#directory = childPath(path, 'versions')
    this.#historyMax = historyMax
  }

  /** @throws UndecodableError */
  async head(options: ReadOptions): Promise<HeadSeen> {
    try {
      const { data, stat } = await this.#client.get(this.headPath, { ...options, as: headCodec })
      return { ...data, znodeVersion: stat.version, atMs: stat.mtime }
    } catch (error) {
      if (error instanceof NoNodeError) return noHead
      throw error
    }
  }

  /** Null when it is not kept, or not any more. @throws UndecodableError */
  async entry(version: number, options: ReadOptions): Promise<Entry | null> {
    const path = this.pathOf(version)
    try {
      const { data, stat } = await this.#client.get(path, { ...options, as: entryCodec })
      return { ...data, version, atMs: stat.ctime }
    } catch (error) {
      if (error instanceof NoNodeError) return null
      throw error
    }
  }

  /**
   * The version that `pick` finds in `head`; null when that is 0.
   *
   * @throws UndecodableError
   */
  async picked(pick: (head: Head) => number, options: ReadOptions): Promise<Entry | null> {
    for (;;) {
      const head = await this.head(options)
      const version = pick(head)
      const entry = version === 0 ? null : await this.entry(version, options)
      if (version === 0 || entry !== null) return entry
      // Others may have written so much in between that it is kept no longer.
      if ((await this.head(options)).znodeVersion > head.znodeVersion) continue
      const message = 'the version that counts is gone: write a new one'
      throw new UndecodableError({ path: this.pathOf(version), message })
    }
  }

  /** The kept ones, oldest first. What cannot be read is left out. */
  async changes(options: ReadOptions): Promise<readonly ConfigChange[]> {
    const changes: ConfigChange[] = []
    const versions = await this.kept(options)
    for (let from = 0; from < versions.length; from += readsMax) {
      const some = versions.slice(from, from + readsMax)
      const read = await Promise.all(some.map(({ version }) => this.#change(version, options)))
      changes.push(...read.filter((change) => change !== null))
    }
    return changes
  }

  /** Which are kept, oldest first. */
  async kept(options: ReadOptions): Promise<readonly Kept[]> {
    const kept: Kept[] = []
    try {
      for await (const { name, stat } of this.#client.list(this.#directory, {
        ...options,
        withStat: true,
      })) {
        const version = Number(name)
        if (Number.isSafeInteger(version)) kept.push({ version, atMs: stat.ctime })
      }
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error
    }
    return kept.sort((a, b) => a.version - b.version)
  }

  /**
   * Writes the next version and what `head` says with it, and lets go of those beyond what is kept.
   *
   * @returns its number; null when another has written since `seen`
   */
  async write(
    seen: HeadSeen,
    entry: NewEntry,
    about: { readonly headOf: (version: number) => Head; readonly wait: WaitOptions },
  ): Promise<number | null> {
    const { headOf, wait } = about
    const kept = await this.kept({ ...wait, consistency: 'linearizable' })
    const version = Math.max(seen.version, kept.at(-1)?.version ?? 0) + 1
    const transaction = this.#client.transaction()
    const head = headOf(version)
    if (seen.znodeVersion < 0) transaction.create(this.headPath, head, { as: headCodec })
    else transaction.set(this.headPath, head, { as: headCodec, version: seen.znodeVersion })
    transaction.create(this.pathOf(version), entry, { as: json })
    const surplus = kept.length + 1 - this.#historyMax
    for (const { version: old } of kept.slice(0, Math.min(Math.max(surplus, 0), removalsMax))) {
      transaction.delete(this.pathOf(old))
    }
    const isWritten = await this.#unlessOutrun(() =>
      inDirectory(this.#client, { path: this.#directory, wait }, () => transaction.commit(wait)),
    )
    return isWritten ? version : null
  }

  /** Changes only what `head` says. @returns false when another has written since `seen` */
  move(seen: HeadSeen, head: Head, wait: WaitOptions): Promise<boolean> {
    const options = { ...wait, as: headCodec, version: seen.znodeVersion }
    return this.#unlessOutrun(() => this.#client.set(this.headPath, head, options))
  }

  pathOf(version: number): string {
    return childPath(this.#directory, String(version).padStart(versionDigits, '0'))
  }

  async #change(version: number, options: ReadOptions): Promise<ConfigChange | null> {
    try {
      const entry = await this.entry(version, options)
      if (entry === null) return null
      const { document: _, ...change } = entry
      return change
    } catch (error) {
      if (error instanceof UndecodableError) return null
      throw error
    }
  }

  async #unlessOutrun(run: () => Promise<unknown>): Promise<boolean> {
    try {
      await run()
      return true
    } catch (error) {
      const isOutrun =
        error instanceof BadVersionError ||
        error instanceof NodeExistsError ||
        error instanceof NoNodeError
      if (isOutrun) return false
      throw error
    }
  }
}

const versionDigits = 10

const noHead: HeadSeen = { version: 0, rollout: null, znodeVersion: -1, atMs: 0 }

/** Others may have written anything. */
const headCodec: Codec<Head> = {
  encode: (head) => json.encode(head),
  decode(data) {
    const { version, rollout } = json.decode(data) as Head
    if (!isCount(version)) throw new TypeError('`version` is no whole number')
    return { version, rollout: rollout === null ? null : rolloutOf(rollout) }
  },
}

const rolloutOf = ({ version, stages: given, stage }: RolloutState): RolloutState => {
  const stages = stagesOf(given)
  if (isCount(version) && isCount(stage) && stage < stages.length) return { version, stages, stage }
  throw new TypeError('`rollout` is { version, stages, stage }')
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

const entryCodec: Codec<NewEntry> = {
  encode: (entry) => json.encode(entry),
  decode(data) {
    const { document, by, note, restores, abandons } = json.decode(data) as Partial<NewEntry>
    if (document === undefined) throw new TypeError('there is no `document`')
    return {
      document,
      by: textOf(by),
      note: textOf(note),
      restores: restores ?? null,
      abandons: abandons ?? null,
    }
  },
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
