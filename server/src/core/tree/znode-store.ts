import { type Acl, type SessionId, type ZnodeKind, znodeKinds, type Zxid } from '@conclave/protocol'
import { Fingerprint, type Lanes } from '../fingerprint.js'
import type { Freezable } from '../frozen-table.js'
import { ChildList } from './child-list.js'
import { type Column, numbers, things, words } from './columns.js'
import { DataSlab } from './data-slab.js'
import { PathIndex } from './path-index.js'
import { type LiveZnode, type ZnodeEntry, znodeEntry } from './znode.js'

/**
 * Where the znodes are: a row each, a column for each field. Only this room knows how they are laid
 * out; the others see znodes, and `DataTree` alone changes one.
 */
export class ZnodeStore implements Freezable<number, ZnodeEntry> {
  readonly columns: ZnodeColumns = newColumns()
  /** In the order in which a fingerprint takes them. */
  readonly #numbers: readonly Column<number>[] = numberFields.map((field) => this.columns[field])
  /** No row from here on was ever used. */
  #end = 0
  /** A chain through the free rows. Each link is a row plus 1, 0 ends it. */
  readonly #nextFree = words()
  #firstFree = 0

  get size(): number {
    return this.columns.path.size
  }

  rowOf(path: string): number | undefined {
    return this.columns.path.rowOf(path)
  }

  at(row: number): LiveZnode {
    return new ZnodeRow(this.columns, row)
  }

  /** The caller has put the child into the account of its parent, see {@link adopt}. */
  insert(entry: ZnodeEntry): number {
    const row = this.#takeRow()
    const { columns } = this
    columns.path.add(row, entry.path)
    columns.acl.set(row, entry.acl)
    columns.kind.set(row, znodeKinds.indexOf(entry.kind) + 1)
    for (const field of numberFields) setNumber(columns[field], row, entry[field])
    this.setData(row, entry.data)
    return row
  }

  /** The row is free for another znode. */
  remove(row: number): void {
    const { columns } = this
    columns.path.remove(row)
    columns.kind.set(row, 0)
    columns.acl.set(row, null)
    columns.children.set(row, null)
    columns.data.set(row, null)
    this.setLanes(row, noLanes)
    this.#nextFree.set(row, this.#firstFree)
    this.#firstFree = row + 1
  }

  setData(row: number, data: Uint8Array | null): void {
    const { columns } = this
    columns.data.set(row, data)
    const { a, b } = new Fingerprint(4).bytes(data).done()
    columns.dataLaneA.set(row, a)
    columns.dataLaneB.set(row, b)
  }

  adopt(parent: number, child: number): void {
    const { children, ordinal } = this.columns
    const list = children.get(parent) ?? new ChildList((row) => ordinal.get(row))
    list.add(child)
    children.set(parent, list)
  }

  disown(parent: number, child: number): void {
    const { children } = this.columns
    const list = children.get(parent)
    list?.remove(child)
    if (list?.size === 0) children.set(parent, null)
  }

  /** What the digest has of this row: zeros, which add nothing to it, when it has none. */
  lanes(row: number): Lanes {
    return { a: this.columns.laneA.get(row), b: this.columns.laneB.get(row) }
  }

  setLanes(row: number, { a, b }: Lanes): void {
    this.columns.laneA.set(row, a)
    this.columns.laneB.set(row, b)
  }

  fingerprint(row: number): Fingerprint {
    const { columns } = this
    const print = columns.path
      .print(row, new Fingerprint(1))
      .number(columns.dataLaneA.get(row))
      .number(columns.dataLaneB.get(row))
      .text(kindAt(columns, row))
    for (const column of this.#numbers) print.number(column.get(row))
    print.number(columns.children.get(row)?.size ?? 0)
    for (const entry of columns.acl.get(row) ?? []) {
      print.text(entry.scheme).text(entry.id).number(entry.permissions)
    }
    return print.done()
  }

  /** The rows in use, of those that there are now: what comes later comes after the end. */
  *values(): Generator<number> {
    const end = this.#end
    for (let row = 0; row < end; row++) if (this.columns.kind.get(row) !== 0) yield row
  }

  bornAt(row: number): Zxid {
    return this.columns.czxid.get(row)
  }

  snapshotMark(row: number): number {
    return this.columns.snapshotMark.get(row)
  }

  setSnapshotMark(row: number, id: number): void {
    this.columns.snapshotMark.set(row, id)
  }

  entry(row: number): ZnodeEntry {
    return znodeEntry(this.at(row))
  }

  #takeRow(): number {
    if (this.#firstFree === 0) {
      this.#end += 1
      return this.#end - 1
    }
    const row = this.#firstFree - 1
    this.#firstFree = this.#nextFree.get(row)
    return row
  }
}

const newColumns = () => ({
  path: new PathIndex(),
  data: new DataSlab(),
  acl: things<Acl>(),
  /** Its place among the kinds plus 1; 0: the row is free. */
  kind: words(),
  czxid: numbers<Zxid>(),
  mzxid: numbers<Zxid>(),
  pzxid: numbers<Zxid>(),
  ctime: numbers(),
  mtime: numbers(),
  version: numbers(),
  aversion: numbers(),
  ephemeralOwner: numbers<SessionId>(),
  ttlMs: numbers(),
  ordinal: numbers(),
  childrenCreated: numbers(),
  children: things<ChildList>(),
  /** The fingerprint of the data alone, so that a change beside it need not read it again. */
  dataLaneA: words(),
  dataLaneB: words(),
  laneA: words(),
  laneB: words(),
  snapshotMark: words(),
})
type ZnodeColumns = Readonly<ReturnType<typeof newColumns>>

const numberFields = [
  ...(['czxid', 'mzxid', 'pzxid', 'ctime', 'mtime', 'version', 'aversion'] as const),
  ...(['ephemeralOwner', 'ttlMs', 'ordinal', 'childrenCreated'] as const),
]

const setNumber = <T extends number>(column: Column<T>, row: number, value: number): void =>
  column.set(row, value as T)

const kindAt = (columns: ZnodeColumns, row: number): ZnodeKind =>
  znodeKinds[columns.kind.get(row) - 1] as ZnodeKind

const noLanes: Lanes = { a: 0, b: 0 }

class ZnodeRow implements LiveZnode {
  readonly #columns: ZnodeColumns
  readonly #row: number

  constructor(columns: ZnodeColumns, row: number) {
    this.#columns = columns
    this.#row = row
  }

  get path(): string {
    return this.#columns.path.pathOf(this.#row)
  }
  get data(): Uint8Array | null {
    return this.#columns.data.get(this.#row)
  }
  get dataLength(): number {
    return this.#columns.data.lengthOf(this.#row)
  }
  get acl(): Acl | null {
    return this.#columns.acl.get(this.#row)
  }
  get kind(): ZnodeKind {
    return kindAt(this.#columns, this.#row)
  }
  get czxid(): Zxid {
    return this.#columns.czxid.get(this.#row)
  }
  get mzxid(): Zxid {
    return this.#columns.mzxid.get(this.#row)
  }
  get pzxid(): Zxid {
    return this.#columns.pzxid.get(this.#row)
  }
  get ctime(): number {
    return this.#columns.ctime.get(this.#row)
  }
  get mtime(): number {
    return this.#columns.mtime.get(this.#row)
  }
  get version(): number {
    return this.#columns.version.get(this.#row)
  }
  get aversion(): number {
    return this.#columns.aversion.get(this.#row)
  }
  get ephemeralOwner(): SessionId {
    return this.#columns.ephemeralOwner.get(this.#row)
  }
  get ttlMs(): number {
    return this.#columns.ttlMs.get(this.#row)
  }
  get ordinal(): number {
    return this.#columns.ordinal.get(this.#row)
  }
  get childrenCreated(): number {
    return this.#columns.childrenCreated.get(this.#row)
  }
  get numChildren(): number {
    return this.#columns.children.get(this.#row)?.size ?? 0
  }
}
