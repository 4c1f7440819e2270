import type { Change, Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/** A document that says what it was made of, so that a lost edit is seen. */
export interface Document {
  readonly name: string
  /** The document that it follows; null when it replaces whatever there was. */
  readonly after: string | null
}

/**
 * G8: each edit of a configuration follows the document that counted when it was committed, all see
 * the same document as one version, each sees later and later versions, and who is said to run one
 * has asked for the next.
 */
export class Edits implements Invariant {
  readonly #root: string
  readonly #documents = new Map<number, Document>()
  /** What each node has done with. */
  readonly #ran = new Map<string, Set<number>>()
  #counts: string | null = null
  #checked = 0

  constructor(root: string) {
    this.#root = root
  }

  check(sight: Sight, { committed }: Ledger): void {
    if (sight.sight !== 'applied') return
    for (; this.#checked < committed.length; this.#checked++) {
      const { body } = committed[this.#checked] as Txn
      if (body.body === 'write') this.#committed(body.changes.flatMap(this.#writtenBy))
    }
  }

  /** @param before the version that it saw before; 0 for none */
  saw(who: string, { version, document }: Seen, before: number): void {
    if (version <= before) throw new Violation('G8', `${who} sees ${version} after ${before}`)
    const written = this.#documents.get(version)
    if (written?.name === document.name) return
    throw new Violation('G8', `${who} sees ${document.name} as ${version}, not ${written?.name}`)
  }

  /** It asks for what comes after this. */
  ran(node: string, version: number): void {
    const ran = this.#ran.get(node) ?? new Set()
    this.#ran.set(node, ran.add(version))
  }

  readonly #writtenBy = (change: Change): readonly Said[] => {
    if (change.change !== 'create' && change.change !== 'setData') return []
    if (!change.path.startsWith(this.#root) || change.data === null) return []
    const [, kind = '', name = ''] = change.path.slice(this.#root.length).split('/')
    return [{ kind, name, data: JSON.parse(new TextDecoder().decode(change.data)) as unknown }]
  }

  /** An edit is judged by what counted before it. */
  #committed(all: readonly Said[]): void {
    for (const { kind, name, data } of all) {
      if (kind === 'versions') this.#written(Number(name), data as Written)
      if (kind === 'nodes') this.#says(name, data as { version: number | null })
    }
    for (const { kind, data } of all) {
      if (kind === 'head') this.#count((data as { readonly version: number }).version)
    }
  }

  #written(version: number, { document, restores }: Written): void {
    const { name, after } = document
    if (restores === null && after !== null && after !== this.#counts) {
      throw new Violation('G8', `${name} follows ${after}, where ${this.#counts} counts`)
    }
    this.#documents.set(version, document)
  }

  #count(version: number): void {
    this.#counts = this.#documents.get(version)?.name ?? null
  }

  #says(node: string, { version }: { readonly version: number | null }): void {
    if (version === null || this.#ran.get(node)?.has(version) === true) return
    throw new Violation('G8', `${node} is said to run ${version}, which it has not`)
  }
}

/** What was written below the root. */
interface Said {
  readonly kind: string
  readonly name: string
  readonly data: unknown
}

interface Seen {
  readonly version: number
  readonly document: Document
}

interface Written {
  readonly document: Document
  readonly restores: number | null
}
