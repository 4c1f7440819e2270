import { anything, checked, type Checks, isText, wholeNumber } from '../checked.js'
import type { Client } from '../client.js'
import { json, refuseLater, type SchemaLike, schemaOf, type StandardSchema } from '../codecs.js'
import {
  BadArgumentsError,
  BadVersionError,
  NodeExistsError,
  NoNodeError,
  UndecodableError,
} from '../errors.js'
import { type ReadOptions, waitChecks, type WaitOptions } from '../options.js'
import { type ConfigDifference, differencesOf } from './config/difference.js'
import { type ConfigDrift, driftOf } from './config/drift.js'
import { listNodes, serverTimeMs } from './config/nodes.js'
import {
  abandon,
  drive,
  type Ground,
  judgingOf,
  type RolloutOptions,
  type RolloutResult,
} from './config/rollout.js'
import { type RolloutStage, stagesOf } from './config/stages.js'
import { type ConfigSubscribeOptions, follow, subscribeChecks } from './config/subscription.js'
import {
  type ConfigChange,
  type ConfigVersion,
  type Entry,
  type Head,
  type HeadSeen,
  type NewEntry,
  Versions,
} from './config/versions.js'
import { within } from './waiting.js'
import { idOf } from './znodes.js'

export type { ConfigDifference } from './config/difference.js'
export type { ConfigDrift } from './config/drift.js'
export type { RolloutOptions, RolloutResult, SettledStage } from './config/rollout.js'
export type { ConfigNode, RolloutStage } from './config/stages.js'
export type { ConfigSubscribeOptions } from './config/subscription.js'
export type { ConfigChange, ConfigVersion } from './config/versions.js'

export interface ConfigStoreOptions<T> {
  /** What every document has to be: any Standard Schema validator, or anything with `parse`. */
  readonly schema: StandardSchema<T> | SchemaLike<T>
  /** Who this is, for those who read the history. */
  readonly id?: string | undefined
  /** How many versions are kept, 2 to 1,000; 50 by default. */
  readonly historyMax?: number | undefined
}

export interface ConfigEditOptions extends WaitOptions {
  /** Why, for those who read the history. */
  readonly note?: string | undefined
}

const storeChecks: Checks<ConfigStoreOptions<unknown>> = {
  schema: anything,
  id: anything,
  historyMax: wholeNumber(2, 1_000),
}
const editChecks: Checks<ConfigEditOptions> = {
  ...waitChecks,
  note: isText,
}

const historyMaxDefault = 50
/** How often an edit begins again because another was faster. */
const attemptsMax = 100

/**
 * The configuration of a system: versions of one JSON document, each checked by a schema before it
 * is written and before it is used.
 *
 * Usage:
 *
 *     const config = new ConfigStore(client, '/config', { schema: Settings, id: 'alice' })
 *     await config.update((now) => ({ ...now, shards: 32 }), { note: 'more shards' })
 *     for await (const { document } of config.subscribe({ node: { id: 'db-3' } })) apply(document)
 *     await config.rollout(next, {
 *       stages: [{ label: 'canary' }, { percent: 25 }],
 *       healthy: async ({ nodes }) => areWell(nodes),
 *     })
 *
 * A version is an immutable znode, and what counts is said by one other: every edit is one
 * transaction of both.
 *
 * Dangers: nodes are a moment apart, and in a rollout longer, so a change that cannot bear two
 * versions side by side takes two steps; the function of `update` may run several times; a document
 * and what is said of it must fit into one znode (1 MiB). What somebody broke by hand is mended by
 * `rollback`; when it is `head` itself, delete that before.
 */
export class ConfigStore<T> {
  readonly #schema: SchemaLike<T>
  readonly #ground: Ground

  constructor(client: Client, path: string, options: ConfigStoreOptions<T>) {
    const { schema: given, id, historyMax } = checked(options, storeChecks)
    const schema = schemaOf(given as ConfigStoreOptions<T>['schema'])
    if (schema === null) {
      throw new BadArgumentsError({ message: 'the option schema is a schema' })
    }
    this.#schema = schema
    const versions = new Versions(client, path, historyMax ?? historyMaxDefault)
    this.#ground = { client, path, versions, id: idOf(id) }
  }

  /**
   * The version that counts; null while there is none.
   *
   * @throws `UndecodableError` when it is not what the schema expects
   */
  async get(options: ReadOptions = {}): Promise<ConfigVersion<T> | null> {
    const entry = await this.#ground.versions.picked(({ version }) => version, options)
    return entry === null ? null : this.#documentOf(entry)
  }

  /**
   * A version that is kept.
   *
   * @throws `NoNodeError` when it is not; `UndecodableError`
   */
  async at(version: number, options: ReadOptions = {}): Promise<ConfigVersion<T>> {
    return this.#documentOf(await this.#entry(version, options))
  }

  /** What was written when, by whom and why, as far as it is kept; newest first. */
  async history(options: ReadOptions = {}): Promise<readonly ConfigChange[]> {
    return (await this.#ground.versions.changes(options)).toReversed()
  }

  /**
   * How one version became another.
   *
   * @throws `NoNodeError` when one of them is not kept
   */
  async diff(
    from: number,
    to: number,
    options: ReadOptions = {},
  ): Promise<readonly ConfigDifference[]> {
    const [before, after] = await Promise.all([
      this.#entry(from, options),
      this.#entry(to, options),
    ])
    return differencesOf(before.document, after.document)
  }

  /**
   * Writes only when nothing was written since.
   *
   * @param version that counts, as {@link get} told it; 0 when there is none
   * @returns the new version; null when another counts
   * @throws `BadArgumentsError` when the document is not what the schema expects;
   *   `NodeExistsError` while a rollout is under way; `TooLargeError`
   */
  compareAndSet(version: number, document: T, options?: ConfigEditOptions): Promise<number | null> {
    return this.#editing(options, async (note, signal) => {
      const entry = this.#newEntry(document, note)
      const head = await this.#editable(signal)
      return head.version === version ? this.#write(head, entry, signal) : null
    })
  }

  /**
   * Reads, computes and writes, and begins again when another was faster.
   *
   * @param change gets null while there is no version
   * @returns the new version
   * @throws as {@link compareAndSet}; `BadVersionError` after 100 attempts; `UndecodableError`, and
   *   then {@link rollback} helps, or `compareAndSet`; what the function throws
   */
  update(change: (document: T | null) => T, options?: ConfigEditOptions): Promise<number> {
    return this.#repeated(options, async (note, signal) => {
      const head = await this.#editable(signal)
      const entry = await this.#ground.versions.picked(() => head.version, { signal })
      const next = change(entry === null ? null : this.#documentOf(entry).document)
      return this.#write(head, this.#newEntry(next, note), signal)
    })
  }

  /**
   * Brings an old version back, as a new one.
   *
   * @returns the new version
   * @throws as {@link update}; `NoNodeError` when the old one is not kept
   */
  rollback(version: number, options?: ConfigEditOptions): Promise<number> {
    return this.#repeated(options, async (note, signal) => {
      const head = await this.#editable(signal)
      const old = await this.#entry(version, { signal })
      this.#documentOf(old)
      const entry = { document: old.document, by: this.#ground.id, note }
      return this.#write(head, { ...entry, restores: version, abandons: null }, signal)
    })
  }

  /**
   * The version that counts, and then each next one. A slow loop gets the latest, and none gets an
   * older one than before.
   *
   * @returns ends quietly when the client is closed; the loop throws the signal's reason,
   *   `SessionExpiredError` and, without `onInvalid`, `UndecodableError`
   * @example
   * for await (const { version, document } of config.subscribe({ node: { id: 'db-3' } })) {
   *   await apply(document)
   * }
   */
  subscribe(
    options: ConfigSubscribeOptions = {},
  ): AsyncGenerator<ConfigVersion<T>, void, undefined> {
    const given = checked(options, subscribeChecks)
    return follow(this.#ground, (entry) => this.#documentOf(entry), given)
  }

  /** Which node runs which version, and for how long it lags behind, by the servers' clock. */
  async drift(options?: WaitOptions): Promise<readonly ConfigDrift[]> {
    const { client, path, versions } = this.#ground
    return within(client, options, async (signal) => {
      const nodes = await listNodes(client, path, { signal })
      const [head, kept] = [await versions.head({ signal }), await versions.kept({ signal })]
      const nowMs = await serverTimeMs(client, path, { signal })
      return nodes.map((node) => driftOf(node, { head, kept, nowMs }))
    })
  }

  /**
   * Gives the next version to more and more of the nodes that subscribe, and to all when the last
   * stage was found healthy. When one was not, a new version brings back what was before.
   *
   * @param options `stages` in their order: the nodes of each are those of its label, or so many of
   *   100, chosen by a hash of id and version
   * @returns how it ended; it can last as long as all its stages
   * @throws as {@link compareAndSet}; `BadArgumentsError` when there is no version to go back to;
   *   the signal's reason, and then the rollout stands, and {@link resumeRollout} goes on with it
   */
  async rollout(
    document: T,
    options: RolloutOptions & { readonly stages: readonly RolloutStage[]; readonly note?: string },
  ): Promise<RolloutResult> {
    const { stages: given, note, ...judging } = options
    const checkedOptions = judgingOf(judging)
    const stages = stagesOf(given)
    const begin = (seen: HeadSeen) => (version: number) => ({
      version: seen.version,
      rollout: { version, stages, stage: 0 },
    })
    const { signal } = checkedOptions
    const version = await this.#repeated({ signal, note }, async (said, during) => {
      const entry = this.#newEntry(document, said)
      const head = await this.#editable(during)
      if (head.version > 0) return this.#write(head, entry, during, begin(head))
      const message = 'there is no version to go back to: write the first one with `update`'
      throw new BadArgumentsError({ message })
    })
    return drive(this.#ground, version, checkedOptions)
  }

  /**
   * Goes on with the rollout that stands, whoever began it.
   *
   * @returns how it ended; null when there is none
   */
  async resumeRollout(options: RolloutOptions): Promise<RolloutResult | null> {
    const given = judgingOf(options)
    const { rollout } = await this.#head(given.signal)
    return rollout === null ? null : drive(this.#ground, rollout.version, given)
  }

  /**
   * Ends the rollout that stands, whoever drives it: a new version brings back what was before.
   *
   * @returns that version; null when there was no rollout
   */
  abandonRollout(options?: ConfigEditOptions): Promise<number | null> {
    return this.#editing(options, async (note, signal) => {
      for (;;) {
        const head = await this.#head(signal)
        if (head.rollout === null) return null
        const version = await abandon(this.#ground, head, { note, wait: { signal } })
        if (version !== null) return version
      }
    })
  }

  #editing<R>(
    options: ConfigEditOptions | undefined,
    edit: (note: string | null, signal: AbortSignal) => Promise<R>,
  ): Promise<R> {
    const { note = null, ...wait } = checked(options, editChecks)
    return within(this.#ground.client, wait, (signal) => edit(note, signal))
  }

  #repeated(
    options: ConfigEditOptions | undefined,
    attempt: (note: string | null, signal: AbortSignal) => Promise<number | null>,
  ): Promise<number> {
    return this.#editing(options, async (note, signal) => {
      for (let count = 0; count < attemptsMax; count += 1) {
        const version = await attempt(note, signal)
        if (version !== null) return version
      }
      const message = `others were faster ${attemptsMax} times`
      throw new BadVersionError({ path: this.#ground.versions.headPath, message })
    })
  }

  #write(
    seen: HeadSeen,
    entry: NewEntry,
    signal: AbortSignal,
    headOf = (version: number): Head => ({ version, rollout: null }),
  ): Promise<number | null> {
    return this.#ground.versions.write(seen, entry, { headOf, wait: { signal } })
  }

  /** What an edit is decided on is not older than what anybody was told. */
  #head(signal: AbortSignal | undefined): Promise<HeadSeen> {
    return this.#ground.versions.head({ signal, consistency: 'linearizable' })
  }

  async #editable(signal: AbortSignal): Promise<HeadSeen> {
    const head = await this.#head(signal)
    if (head.rollout === null) return head
    const message = `version ${head.rollout.version} is being rolled out: let it end, or abandon it`
    throw new NodeExistsError({ path: this.#ground.versions.headPath, message })
  }

  async #entry(version: number, options: ReadOptions): Promise<Entry> {
    const entry = await this.#ground.versions.entry(version, options)
    if (entry !== null) return entry
    throw new NoNodeError({ path: this.#ground.versions.pathOf(version) })
  }

  /** @throws UndecodableError */
  #documentOf(entry: Entry): ConfigVersion<T> {
    const document = this.#parsed(entry)
    refuseLater(document)
    return { ...entry, document }
  }

  #parsed({ document, version }: Entry): T {
    try {
      return this.#schema.parse(document)
    } catch (cause) {
      const path = this.#ground.versions.pathOf(version)
      const message = `version ${version} is not what the schema expects (${saidBy(cause)})`
      throw new UndecodableError({ path, message, outcome: 'executed', cause })
    }
  }

  /** What will be read is checked, not what was given. */
  #newEntry(document: T, note: string | null): NewEntry {
    const { id: by } = this.#ground
    try {
      refuseLater(this.#schema.parse(json.decode(json.encode(document))))
    } catch (cause) {
      const message = `the document is not what the schema expects (${saidBy(cause)})`
      throw new BadArgumentsError({ message, cause })
    }
    return { document, by, note, restores: null, abandons: null }
  }
}

const saidBy = (error: unknown): string => (error instanceof Error ? error.message : String(error))
