import { createHash } from 'node:crypto'
import type { Completion, Files, OpenFile, OpenMode } from '#server/runtime/storage/files.js'
import { VirtualDirectory, VirtualFile } from './virtual-disk-nodes.js'

export interface DiskOperation {
  readonly kind:
    | 'open'
    | 'create'
    | 'read'
    | 'write'
    | 'truncate'
    | 'sync'
    | 'size'
    | 'close'
    | 'rename'
    | 'unlink'
    | 'list'
    | 'mkdir'
    | 'syncDirectory'
  readonly path: string
  /** How many it writes. */
  readonly bytes: number
  /** It needs room that its file does not have yet. */
  readonly isGrowing: boolean
}

/** Picks one of `count` outcomes, 0 to count - 1; 0 is always "nothing of it reached the disk". */
export type Choose = (count: number) => number

export type Schedule = (task: () => void) => void

/**
 * A file system in memory that can fail as a real one does. What is written lies in the page cache
 * until it is synced: a crash of the process keeps it, a loss of power keeps any chosen part of it,
 * sector by sector and directory entry by directory entry.
 */
export class VirtualDisk implements Files {
  /** Every operation, in the order in which they were begun. */
  readonly operations: DiskOperation[] = []
  /** Returns the error that an operation is to fail with; null lets it pass. */
  fault: (operation: DiskOperation) => DiskFault | null = () => null
  readonly #root: VirtualDirectory
  readonly #schedule: Schedule
  #isDead = false
  #mutationsLeft = Number.POSITIVE_INFINITY
  #held: (() => void)[] | null = null
  #onDeath: () => void = () => undefined
  #writing = 0
  #writingMax = 0
  #mutations = 0

  constructor(schedule: Schedule = queueMicrotask, root = new VirtualDirectory()) {
    this.#schedule = schedule
    this.#root = root
  }

  /** How many changing operations were begun. */
  get mutations(): number {
    return this.#mutations
  }

  /** The most writes to log segments that were ever in flight together. */
  get logWritesInFlightMax(): number {
    return this.#writingMax
  }

  /** The machine stops while the nth changing operation from now on is in flight. */
  dieAt(mutation: number): Promise<void> {
    this.#mutationsLeft = mutation
    return new Promise((resolve) => {
      this.#onDeath = resolve
    })
  }

  /** Operations are begun but do not complete until they are let go. */
  hold(): void {
    this.#held ??= []
  }

  letGo(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const task of held) this.#schedule(task)
  }

  /** The process is killed: the page cache stays as it is, what was open is closed. */
  processCrash(): VirtualDisk {
    this.#isDead = true
    return new VirtualDisk(this.#schedule, this.#root)
  }

  /** The disk as it may be after a loss of power. This one is dead but may lose power again. */
  powerLoss(choose: Choose): VirtualDisk {
    this.#isDead = true
    return this.fork(choose)
  }

  /** The disk as it would be after a loss of power now; this one goes on. */
  fork(choose: Choose): VirtualDisk {
    return new VirtualDisk(this.#schedule, this.#root.afterPowerLoss(choose, new Map()))
  }

  /** All bytes of a file, as the page cache has them. */
  content(path: string): Buffer {
    return Buffer.from(this.#file(path).bytes())
  }

  /** The same for two disks that hold the same, as the page cache has it. */
  fingerprint(): string {
    const hash = createHash('sha256')
    this.#root.digestInto(hash)
    return hash.digest('base64')
  }

  /** Changes bytes on the platter behind everybody's back. */
  damage(path: string, offset: number, bytes: Uint8Array): void {
    this.#file(path).overwrite(bytes, offset)
  }

  /** Puts a file there, durable. */
  plant(path: string, bytes: Uint8Array): void {
    const [directory, name] = this.#locate(path)
    const file = new VirtualFile()
    file.overwrite(bytes, 0)
    directory.set(name, file)
    directory.sync()
  }

  remove(path: string): void {
    const [directory, name] = this.#locate(path)
    directory.remove(name)
    directory.sync()
  }

  names(path: string): readonly string[] {
    return this.#directory(path).names()
  }

  open(path: string, mode: OpenMode, done: Completion<OpenFile>): void {
    const kind = mode === 'create' ? 'create' : 'open'
    this.#run({ kind, path, bytes: 0, isGrowing: mode === 'create' }, done, () => {
      const [directory, name] = this.#locate(path)
      const found = directory.get(name)
      if (found instanceof VirtualDirectory) throw diskError('EISDIR', path)
      if (mode !== 'create') {
        if (found === undefined) throw diskError('ENOENT', path)
        found.path = path
        return new Handle(this, found, mode)
      }
      const file = found ?? new VirtualFile()
      file.path = path
      if (found === undefined) directory.set(name, file)
      else file.truncate(0)
      return new Handle(this, file, mode)
    })
  }

  rename(from: string, to: string, done: Completion<void>): void {
    this.#run(plain('rename', from), done, () => {
      const [directory, name] = this.#locate(from)
      const [target, newName] = this.#locate(to)
      if (directory !== target) throw new Error('the virtual disk renames inside one directory')
      const found = directory.get(name)
      if (found === undefined) throw diskError('ENOENT', from)
      if (found instanceof VirtualFile) found.path = to
      directory.rename(name, newName)
    })
  }

  unlink(path: string, done: Completion<void>): void {
    this.#run(plain('unlink', path), done, () => {
      const [directory, name] = this.#locate(path)
      const found = directory.get(name)
      if (found === undefined) throw diskError('ENOENT', path)
      if (found instanceof VirtualDirectory) throw diskError('EISDIR', path)
      directory.remove(name)
    })
  }

  list(directory: string, done: Completion<readonly string[]>): void {
    this.#run(plain('list', directory), done, () => this.#directory(directory).names())
  }

  mkdir(path: string, done: Completion<void>): void {
    this.#run(plain('mkdir', path), done, () => {
      const [directory, name] = this.#locate(path)
      if (name === '' || directory.get(name) !== undefined) throw diskError('EEXIST', path)
      directory.set(name, new VirtualDirectory())
    })
  }

  syncDirectory(path: string, done: Completion<void>): void {
    this.#run(
      plain('syncDirectory', path),
      done,
      () => {
        if (!this.#isDead && !this.#directory(path).sync()) throw diskError('EROFS', path)
      },
      () => this.#directory(path).stop(),
    )
  }

  /** For its handles. A faulty write leaves a part of itself, a faulty sync marks pages clean. */
  runOnFile<T>(
    { kind, bytes = 0, isGrowing = false }: FileOperation,
    handle: { readonly path: string; readonly file: VirtualFile; readonly isOpen: boolean },
    done: Completion<T>,
    act: () => T,
    onFault: (fault: DiskFault) => void = () => undefined,
  ): void {
    const guarded = (): T => {
      if (!handle.isOpen) throw diskError('EBADF', handle.path)
      return act()
    }
    this.#run({ kind, path: handle.path, bytes, isGrowing }, done, guarded, onFault)
  }

  /** True from the moment the power goes, also for the operation in flight at that moment. */
  get isDead(): boolean {
    return this.#isDead
  }

  #run<T>(
    operation: DiskOperation,
    done: Completion<T>,
    act: () => T,
    onFault: (fault: DiskFault) => void = () => undefined,
  ): void {
    if (this.#isDead) return
    const { kind, path } = operation
    this.operations.push(operation)
    if (mutating.has(kind)) this.#mutations += 1
    if (mutating.has(kind) && --this.#mutationsLeft <= 0) this.#isDead = true
    const isLogWrite = kind === 'write' && /\/log-\d+$/.test(path)
    if (isLogWrite) this.#writingMax = Math.max(this.#writingMax, ++this.#writing)
    const fault = this.fault(operation)
    let error: Error | null = fault
    let result = undefined as T
    try {
      if (fault === null) result = act()
      else onFault(fault)
    } catch (thrown) {
      error = thrown as Error
    }
    if (this.#isDead) return this.#onDeath()
    const complete = (): void => {
      if (this.#isDead) return
      if (isLogWrite) this.#writing -= 1
      done(error, result)
    }
    if (this.#held === null) this.#schedule(complete)
    else this.#held.push(complete)
  }

  #directory(path: string): VirtualDirectory {
    let directory = this.#root
    for (const part of path.split('/')) {
      if (part === '' || part === '.') continue
      const found = directory.get(part)
      if (found === undefined) throw diskError('ENOENT', path)
      if (!(found instanceof VirtualDirectory)) throw diskError('ENOTDIR', path)
      directory = found
    }
    return directory
  }

  #locate(path: string): readonly [VirtualDirectory, string] {
    const parts = path.split('/').filter((part) => part !== '')
    const name = parts.pop() ?? ''
    return [this.#directory(parts.join('/')), name]
  }

  #file(path: string): VirtualFile {
    const [directory, name] = this.#locate(path)
    const found = directory.get(name)
    if (!(found instanceof VirtualFile)) throw diskError('ENOENT', path)
    return found
  }
}

class Handle implements OpenFile {
  readonly file: VirtualFile
  readonly #disk: VirtualDisk
  readonly #mode: OpenMode
  isOpen = true

  constructor(disk: VirtualDisk, file: VirtualFile, mode: OpenMode) {
    this.#disk = disk
    this.file = file
    this.#mode = mode
  }

  get path(): string {
    return this.file.path
  }

  read(into: Uint8Array, offset: number, done: Completion<number>): void {
    this.#disk.runOnFile({ kind: 'read' }, this, done, () => this.file.read(into, offset))
  }

  write(bytes: Uint8Array, offset: number, done: Completion<void>): void {
    const isGrowing = offset + bytes.length > this.file.size
    this.#disk.runOnFile(
      { kind: 'write', bytes: bytes.length, isGrowing },
      this,
      done,
      () => {
        if (this.#mode === 'read') throw diskError('EBADF', this.path)
        this.file.write(bytes, offset)
        // When the power goes during the write, any part of it is on the platter.
        if (this.#mode !== 'updateDurable' || this.#disk.isDead) return
        this.file.syncRange(offset, offset + bytes.length)
      },
      ({ written = bytes.length / 2 }) => {
        this.file.write(bytes.subarray(0, written), offset)
        // The pages of a durable write that failed count as clean, as after a failed sync.
        if (this.#mode === 'updateDurable') this.file.forgetUnsynced()
      },
    )
  }

  sync(done: Completion<void>): void {
    this.#disk.runOnFile(
      { kind: 'sync' },
      this,
      done,
      () => {
        if (!this.#disk.isDead) this.file.sync()
      },
      () => this.file.forgetUnsynced(),
    )
  }

  size(done: Completion<number>): void {
    this.#disk.runOnFile({ kind: 'size' }, this, done, () => this.file.size)
  }

  truncate(size: number, done: Completion<void>): void {
    this.#disk.runOnFile({ kind: 'truncate' }, this, done, () => this.file.truncate(size))
  }

  close(done: Completion<void>): void {
    this.#disk.runOnFile({ kind: 'close' }, this, done, () => {
      this.isOpen = false
    })
  }
}

type FileOperation = Pick<DiskOperation, 'kind'> & Partial<Omit<DiskOperation, 'path'>>

const plain = (kind: DiskOperation['kind'], path: string): DiskOperation => ({
  kind,
  path,
  bytes: 0,
  isGrowing: false,
})

/** An error of the disk, and how much of a write it leaves; half of it unless told. */
export type DiskFault = Error & { readonly written?: number }

export const diskError = (code: string, path = '', written?: number): DiskFault =>
  Object.assign(new Error(`${code}: ${path}`), {
    code,
    ...(written === undefined ? {} : { written }),
  })

const mutating: ReadonlySet<DiskOperation['kind']> = new Set([
  'create',
  'write',
  'truncate',
  'sync',
  'rename',
  'unlink',
  'mkdir',
  'syncDirectory',
])
