import * as fs from 'node:fs'
import type { Completion, Files, OpenFile, OpenMode } from './files.js'

/** The real file system. */
export const nodeFiles: Files = {
  open(path, mode, done) {
    fs.open(path, openFlags[mode], fileMode, (error, descriptor) => {
      if (error !== null) return done(error, undefined as never)
      done(null, new NodeFile(descriptor, mode === 'updateDurable' && !hasDurableWrites))
    })
  },
  rename(from, to, done) {
    fs.rename(from, to, settle(done))
  },
  unlink(path, done) {
    fs.unlink(path, settle(done))
  },
  list(directory, done) {
    fs.readdir(directory, (error, names) => {
      if (error !== null) return done(error, [])
      done(null, names.sort())
    })
  },
  mkdir(path, done) {
    fs.mkdir(path, { mode: 0o700 }, settle(done))
  },
  syncDirectory(path, done) {
    fs.open(path, fs.constants.O_RDONLY, (openError, descriptor) => {
      if (openError !== null) return done(openError, undefined)
      fs.fsync(descriptor, (error) => {
        fs.close(descriptor, () => done(error, undefined))
      })
    })
  },
}

/** Elsewhere O_DSYNC is missing or does not reach the platter, which fsync does. */
const hasDurableWrites = process.platform === 'linux'
const fileMode = 0o600
const { O_CREAT, O_RDONLY, O_RDWR, O_TRUNC } = fs.constants
const O_DSYNC = hasDurableWrites ? fs.constants.O_DSYNC : 0
const openFlags: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  create: O_RDWR | O_CREAT | O_TRUNC,
  update: O_RDWR,
  updateDurable: O_RDWR | O_DSYNC,
}

class NodeFile implements OpenFile {
  readonly #descriptor: number
  readonly #syncsWrites: boolean

  constructor(descriptor: number, syncsWrites: boolean) {
    this.#descriptor = descriptor
    this.#syncsWrites = syncsWrites
  }

  read(into: Uint8Array, offset: number, done: Completion<number>): void {
    const next = (filled: number): void => {
      const room = into.length - filled
      fs.read(this.#descriptor, into, filled, room, offset + filled, (error, count) => {
        if (error !== null) return done(error, filled)
        if (count === 0 || count === room) return done(null, filled + count)
        next(filled + count)
      })
    }
    next(0)
  }

  write(bytes: Uint8Array, offset: number, done: Completion<void>): void {
    const next = (written: number): void => {
      const rest = bytes.length - written
      fs.write(this.#descriptor, bytes, written, rest, offset + written, (error, count) => {
        if (error !== null) return done(error, undefined)
        // The kernel may take a part only; the next call then says why.
        if (count < rest) return next(written + count)
        if (this.#syncsWrites) this.sync(done)
        else done(null, undefined)
      })
    }
    next(0)
  }

  sync(done: Completion<void>): void {
    fs.fsync(this.#descriptor, settle(done))
  }

  size(done: Completion<number>): void {
    fs.fstat(this.#descriptor, (error, stat) => done(error, error === null ? stat.size : 0))
  }

  truncate(size: number, done: Completion<void>): void {
    fs.ftruncate(this.#descriptor, size, settle(done))
  }

  close(done: Completion<void>): void {
    fs.close(this.#descriptor, settle(done))
  }
}

const settle =
  (done: Completion<void>) =>
  (error?: Error | null): void =>
    done(error ?? null, undefined)
