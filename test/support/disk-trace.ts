import { openSync, readFileSync, writeSync } from 'node:fs'
import type { Completion, Files, OpenFile } from '#server/runtime/storage/index.js'

/** An operation on the disk in which a server kills itself. */
export interface DiskMoment {
  readonly kind: TracedKind
  /** Begins the name of the file. */
  readonly file: string
  /** Before the kernel hears of it, while it is with the kernel, or once it is done. */
  readonly when: 'before' | 'during' | 'after'
  /** How many such operations are let pass first. */
  readonly skip: number
}

export type TracedKind =
  | 'create'
  | 'open'
  | 'write'
  | 'durableWrite'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'syncDirectory'

/** What the trace of a process that was killed tells. */
export interface LastMoments {
  /** From the last beginning of an fsync or durable write to the death; infinite without one. */
  readonly sinceSyncMs: number
  /** What was being made: a snapshot, or a segment (its zeros, or the roll to it). */
  readonly during: ReadonlySet<'snapshot' | 'segment'>
}

/**
 * The real file system, which writes down what is asked of it before the kernel hears of it, where
 * it outlives a kill: each line is with the kernel before the operation is.
 */
export class DiskTrace implements Files {
  readonly list: Files['list']
  readonly mkdir: Files['mkdir']
  readonly #files: Files
  readonly #descriptor: number
  /** What is open goes by the name that it has now. */
  readonly #places = new Map<string, { path: string }>()
  #operations = 0
  #moment: DiskMoment | null = null

  constructor(files: Files, path: string) {
    this.#files = { ...files }
    this.#descriptor = openSync(path, 'w')
    this.list = (...args) => this.#files.list(...args)
    this.mkdir = (...args) => this.#files.mkdir(...args)
  }

  /** The moment when the process is to die by its own hand. */
  dieAt(moment: DiskMoment): void {
    this.#moment = moment
  }

  readonly open: Files['open'] = (path, mode, done) => {
    if (mode === 'read') return this.#files.open(path, mode, done)
    const kind = mode === 'create' ? 'create' : 'open'
    this.#traced<OpenFile>(kind, path, done, (then) =>
      this.#files.open(path, mode, (error, file) => {
        if (error !== null) return then(error, file)
        const place = { path }
        this.#places.set(path, place)
        then(null, this.#file(file, place, mode === 'updateDurable'))
      }),
    )
  }

  readonly rename: Files['rename'] = (from, to, done) =>
    this.#traced<void>('rename', from, done, (then) =>
      this.#files.rename(from, to, (error) => {
        const place = this.#places.get(from)
        this.#places.delete(from)
        if (place !== undefined) this.#places.set((place.path = to), place)
        then(error, undefined)
      }),
    )

  readonly unlink: Files['unlink'] = (path, done) =>
    this.#traced<void>('unlink', path, done, (then) => this.#files.unlink(path, then))

  readonly syncDirectory: Files['syncDirectory'] = (path, done) =>
    this.#traced<void>('syncDirectory', path, done, (then) => this.#files.syncDirectory(path, then))

  #file(file: OpenFile, place: { readonly path: string }, isDurable: boolean): OpenFile {
    const write = isDurable ? 'durableWrite' : 'write'
    return {
      read: (into, offset, done) => file.read(into, offset, done),
      size: (done) => file.size(done),
      close: (done) => file.close(done),
      write: (bytes, offset, done) =>
        this.#traced<void>(write, place.path, done, (then) => file.write(bytes, offset, then)),
      sync: (done) => this.#traced<void>('sync', place.path, done, (then) => file.sync(then)),
      truncate: (size, done) =>
        this.#traced<void>('truncate', place.path, done, (then) => file.truncate(size, then)),
    }
  }

  #traced<T>(
    kind: TracedKind,
    path: string,
    done: Completion<T>,
    act: (done: Completion<T>) => void,
  ): void {
    const operation = ++this.#operations
    const name = path.replace(/^.*\//, '')
    this.#note(`begin ${operation} ${kind} ${name}`)
    const when = this.#isDue(kind, name)
    if (when === 'before') this.#die()
    act((error, result) => {
      this.#note(`end ${operation}`)
      if (when === 'after') this.#die()
      done(error, result)
    })
    if (when === 'during') this.#die()
  }

  #isDue(kind: TracedKind, name: string): DiskMoment['when'] | null {
    const moment = this.#moment
    if (moment === null || kind !== moment.kind || !name.startsWith(moment.file)) return null
    this.#moment = moment.skip > 0 ? { ...moment, skip: moment.skip - 1 } : null
    return moment.skip > 0 ? null : moment.when
  }

  #note(line: string): void {
    writeSync(this.#descriptor, `${monotonicMs()} ${line}\n`)
  }

  /** kill -9, by its own hand: nothing runs behind it, no handler, no flush. */
  #die(): void {
    this.#note('die')
    process.kill(process.pid, 'SIGKILL')
    for (;;);
  }
}

/** @param killedMs when the signal was sent; the process may have lived on for a moment */
export const lastMoments = (path: string, killedMs: number): LastMoments => {
  const open = new Map<string, readonly [kind: string, name: string]>()
  const during = new Set<'snapshot' | 'segment'>()
  let syncMs = Number.NEGATIVE_INFINITY
  let lastMs = killedMs
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [at = '', what, id = '', kind = '', name = ''] = line.split(' ')
    if (line === '') continue
    lastMs = Math.max(lastMs, Number(at))
    if (what === 'begin') {
      open.set(id, [kind, name])
      if (/sync|durable/i.test(kind)) syncMs = Number(at)
      // From the first byte to the name that makes it count.
      if (kind === 'create' && name.startsWith('snapshot-')) during.add('snapshot')
      if (kind !== 'unlink' && name.startsWith('log-next')) during.add('segment')
    }
    if (what !== 'end') continue
    const [done, file = ''] = open.get(id) ?? []
    open.delete(id)
    const isAllocated = done === 'sync' && file.startsWith('log-next')
    if (done === 'rename' && file.startsWith('snapshot-')) during.delete('snapshot')
    if (isAllocated || (done === 'rename' && file.startsWith('log-next'))) during.delete('segment')
  }
  return { sinceSyncMs: lastMs - syncMs, during }
}

/** The same clock in every process of the machine. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6
