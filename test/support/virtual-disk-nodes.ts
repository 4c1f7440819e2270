import type { Hash } from 'node:crypto'
import type { Choose } from './virtual-disk.js'

export type VirtualNode = VirtualFile | VirtualDirectory

/** A file: what the page cache shows, what the platter holds, and every version in between. */
export class VirtualFile {
  /** Where it was last opened or renamed to, for those who look at operations. */
  path = ''
  #cache = new Uint8Array(0)
  #size = 0
  #durable = new Uint8Array(0)
  #durableSize = 0
  /** Sector number -> its contents since the last sync, oldest first. */
  readonly #unsynced = new Map<number, Uint8Array[]>()
  #unsyncedSizes: number[] = []

  get size(): number {
    return this.#size
  }

  bytes(): Uint8Array {
    return this.#cache.subarray(0, this.#size)
  }

  read(into: Uint8Array, offset: number): number {
    const source = this.#cache.subarray(offset, Math.min(offset + into.length, this.#size))
    into.set(source)
    return source.length
  }

  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length === 0) return
    const end = offset + bytes.length
    this.#cache = grown(this.#cache, end)
    this.#cache.set(bytes, offset)
    if (end > this.#size) this.#resize(end)
    this.#touch(offset, end)
  }

  truncate(size: number): void {
    if (size === this.#size) return
    const oldSize = this.#size
    this.#cache = grown(this.#cache, size)
    this.#cache.fill(0, size)
    this.#resize(size)
    if (size < oldSize) this.#touch(size, oldSize)
  }

  sync(): void {
    this.#durable = grown(this.#durable, this.#cache.length)
    for (const number of this.#unsynced.keys()) {
      this.#durable.set(this.#sector(number), number * sectorBytes)
    }
    this.#durableSize = this.#size
    this.#unsynced.clear()
    this.#unsyncedSizes = []
  }

  /** A durable write: its own sectors and the size, nothing else. */
  syncRange(from: number, to: number): void {
    this.#durable = grown(this.#durable, this.#cache.length)
    for (let number = Math.floor(from / sectorBytes); number * sectorBytes < to; number++) {
      this.#durable.set(this.#sector(number), number * sectorBytes)
      this.#unsynced.delete(number)
    }
    this.#durableSize = this.#size
    this.#unsyncedSizes = []
  }

  /** A failed fsync: the pages count as clean, the platter never saw them, the next one is fine. */
  forgetUnsynced(): void {
    this.#unsynced.clear()
  }

  /** Cache and platter alike. */
  overwrite(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length
    this.#cache = grown(this.#cache, end)
    this.#durable = grown(this.#durable, end)
    this.#cache.set(bytes, offset)
    this.#durable.set(bytes, offset)
    this.#size = Math.max(this.#size, end)
    this.#durableSize = Math.max(this.#durableSize, end)
  }

  /**
   * Each sector and the size keep, independently, the durable or any later version. Where all of
   * them are alike there is nothing to choose.
   */
  afterPowerLoss(choose: Choose): VirtualFile {
    const pick = <T>(versions: readonly T[]): T | undefined =>
      versions[versions.length === 1 ? 0 : choose(versions.length)]
    const size = pick([...new Set([this.#durableSize, ...this.#unsyncedSizes])]) ?? 0
    const bytes = grown(this.#durable.slice(), Math.max(size, this.#cache.length)).slice()
    for (const [number, versions] of this.#unsynced) {
      const offset = number * sectorBytes
      const durable = bytes.slice(offset, offset + sectorBytes)
      const version = pick(distinct([durable, ...versions]))
      if (version !== undefined) bytes.set(version, offset)
    }
    const file = new VirtualFile()
    file.overwrite(bytes.subarray(0, size), 0)
    return file
  }

  #resize(size: number): void {
    this.#size = size
    this.#unsyncedSizes.push(size)
  }

  #touch(from: number, to: number): void {
    for (let number = Math.floor(from / sectorBytes); number * sectorBytes < to; number++) {
      const versions = this.#unsynced.get(number) ?? []
      versions.push(this.#sector(number))
      this.#unsynced.set(number, versions)
    }
  }

  #sector(number: number): Uint8Array {
    return this.#cache.slice(number * sectorBytes, (number + 1) * sectorBytes)
  }
}

/** A directory: its entries, and the changes to them that were not synced, oldest first. */
export class VirtualDirectory {
  #entries = new Map<string, VirtualNode>()
  #durable = new Map<string, VirtualNode>()
  #unsynced: EntryChange[] = []
  #isStopped = false

  get(name: string): VirtualNode | undefined {
    return this.#entries.get(name)
  }

  names(): readonly string[] {
    return [...this.#entries.keys()].sort()
  }

  set(name: string, node: VirtualNode): void {
    this.#change({ remove: null, set: name, node })
  }

  remove(name: string): void {
    this.#change({ remove: name, set: null, node: null })
  }

  rename(from: string, to: string): void {
    this.#change({ remove: from, set: to, node: this.#entries.get(from) ?? null })
  }

  /** @returns false when its file system has stopped */
  sync(): boolean {
    if (this.#isStopped) return false
    for (const change of this.#unsynced) apply(this.#durable, change)
    this.#unsynced = []
    return true
  }

  /**
   * A failed fsync: any of the changes may be on the platter, and a file system with a journal
   * writes no more of them until the machine starts again.
   */
  stop(): void {
    this.#isStopped = true
  }

  afterPowerLoss(choose: Choose, copies: Map<VirtualNode, VirtualNode>): VirtualDirectory {
    const kept = new Map(this.#durable)
    for (const change of this.#unsynced) if (choose(2) === 1) apply(kept, change)
    const directory = new VirtualDirectory()
    for (const [name, node] of kept) {
      const copy =
        copies.get(node) ??
        (node instanceof VirtualFile
          ? node.afterPowerLoss(choose)
          : node.afterPowerLoss(choose, copies))
      copies.set(node, copy)
      directory.set(name, copy)
    }
    directory.sync()
    return directory
  }

  digestInto(hash: Hash): void {
    for (const name of this.names()) {
      const node = this.#entries.get(name)
      if (node instanceof VirtualFile)
        hash.update(`file ${name} ${node.size} `).update(node.bytes())
      else node?.digestInto(hash.update(`directory ${name} `))
    }
    hash.update('end ')
  }

  #change(change: EntryChange): void {
    apply(this.#entries, change)
    this.#unsynced.push(change)
  }
}

interface EntryChange {
  readonly remove: string | null
  readonly set: string | null
  readonly node: VirtualNode | null
}

const apply = (entries: Map<string, VirtualNode>, change: EntryChange): void => {
  if (change.remove !== null) entries.delete(change.remove)
  if (change.set !== null && change.node !== null) entries.set(change.set, change.node)
}

/** Sectors without those that are like one before them. */
const distinct = (versions: readonly Uint8Array[]): readonly Uint8Array[] =>
  versions.filter(
    (version, i) => versions.findIndex((earlier) => Buffer.compare(earlier, version) === 0) === i,
  )

/** Whole sectors, so that a sector always has a full version. */
const grown = (bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> => {
  if (size <= bytes.length) return bytes
  const rounded = Math.ceil(Math.max(size, bytes.length * 2) / sectorBytes) * sectorBytes
  const copy = new Uint8Array(rounded)
  copy.set(bytes)
  return copy
}

const sectorBytes = 512
