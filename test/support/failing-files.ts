import type { Completion, Files, OpenFile } from '#server/runtime/storage/index.js'
import { nodeFiles } from '#server/runtime/storage/index.js'

/** The real file system, where nothing can be written while it fails. */
export class FailingFiles implements Files {
  isFailing = false
  /** Whether a write passes all the same; it may be over bytes that are there. */
  spares: (path: string, isInPlace: boolean) => boolean = () => false
  readonly #code: 'EIO' | 'ENOSPC'
  readonly rename: Files['rename'] = (from, to, done) => nodeFiles.rename(from, to, done)
  readonly unlink: Files['unlink'] = (path, done) => nodeFiles.unlink(path, done)
  readonly list: Files['list'] = (directory, done) => nodeFiles.list(directory, done)
  readonly mkdir: Files['mkdir'] = (path, done) => nodeFiles.mkdir(path, done)
  readonly syncDirectory: Files['syncDirectory'] = (path, done) =>
    nodeFiles.syncDirectory(path, done)

  constructor(code: 'EIO' | 'ENOSPC' = 'EIO') {
    this.#code = code
  }

  open: Files['open'] = (path, mode, done) => {
    nodeFiles.open(path, mode, (error, file) => {
      if (error !== null || mode === 'read') return done(error, file)
      file.size((failure, size) => done(failure, this.#failing(path, file, size)))
    })
  }

  #failing(path: string, file: OpenFile, size: number): OpenFile {
    const orFail =
      (write: (done: Completion<void>) => void, isInPlace: boolean) =>
      (done: Completion<void>): void => {
        if (!this.isFailing || this.spares(path, isInPlace)) return write(done)
        const error = Object.assign(new Error(`${this.#code}: write`), { code: this.#code })
        setImmediate(() => done(error, undefined))
      }
    return {
      read: (into, offset, done) => file.read(into, offset, done),
      size: (done) => file.size(done),
      truncate: (size, done) => file.truncate(size, done),
      close: (done) => file.close(done),
      write: (bytes, offset, done) => {
        const isInPlace = offset + bytes.length <= size
        orFail((then) => file.write(bytes, offset, then), isInPlace)(done)
      },
      sync: (done) => orFail((then) => file.sync(then), true)(done),
    }
  }
}
