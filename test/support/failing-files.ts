import type { Completion, Files, OpenFile } from '#server/runtime/storage/index.js'
import { nodeFiles } from '#server/runtime/storage/index.js'

/** The real file system, where nothing can be written while it fails. */
export class FailingFiles implements Files {
  isFailing = false
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
      done(null, this.#failing(file))
    })
  }

  #failing(file: OpenFile): OpenFile {
    const orFail =
      (write: (done: Completion<void>) => void) =>
      (done: Completion<void>): void => {
        if (!this.isFailing) return write(done)
        const error = Object.assign(new Error(`${this.#code}: write`), { code: this.#code })
        setImmediate(() => done(error, undefined))
      }
    return {
      read: (into, offset, done) => file.read(into, offset, done),
      size: (done) => file.size(done),
      truncate: (size, done) => file.truncate(size, done),
      close: (done) => file.close(done),
      write: (bytes, offset, done) => orFail((then) => file.write(bytes, offset, then))(done),
      sync: (done) => orFail((then) => file.sync(then))(done),
    }
  }
}
