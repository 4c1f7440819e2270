import type { Test } from 'tap'
import {
  completed,
  errorCode,
  type Files,
  type OpenFile,
  type OpenMode,
} from '#server/runtime/storage/files.js'

/** What every implementation of the port must do. `root` is an empty directory. */
export const filesContract = (
  t: Test,
  make: () => Promise<{ readonly files: Files; readonly root: string }>,
): void => {
  const open = (files: Files, path: string, mode: OpenMode): Promise<OpenFile> =>
    completed((done) => files.open(path, mode, done))
  const write = (file: OpenFile, text: string, offset: number): Promise<void> =>
    completed((done) => file.write(Buffer.from(text), offset, done))
  const read = async (file: OpenFile, offset: number, length: number): Promise<string> => {
    const bytes = Buffer.alloc(length)
    const count = await completed<number>((done) => file.read(bytes, offset, done))
    return bytes.subarray(0, count).toString()
  }
  const code = async (action: Promise<unknown>): Promise<string> => {
    try {
      await action
      return 'no error'
    } catch (error) {
      return errorCode(error)
    }
  }
  const close = (file: OpenFile): Promise<void> => completed((done) => file.close(done))
  const list = (files: Files, path: string): Promise<readonly string[]> =>
    completed((done) => files.list(path, done))

  t.test('DISK-1 what is written is read at the same offset, gaps are zeros', async (t) => {
    const { files, root } = await make()
    const file = await open(files, `${root}/a`, 'create')
    await write(file, 'world', 1000)
    await write(file, 'hello', 0)
    t.equal(await read(file, 0, 5), 'hello')
    t.equal(await read(file, 998, 5), '\0\0wor')
    t.equal(await read(file, 1003, 100), 'ld', 'a read ends with the file')
    t.equal(await read(file, 5000, 10), '', 'there is nothing behind it')
    t.equal(await completed<number>((done) => file.size(done)), 1005)
    await completed<void>((done) => file.sync(done))
    await close(file)
  })

  t.test('DISK-1 a file is cut and extended by truncate', async (t) => {
    const { files, root } = await make()
    const file = await open(files, `${root}/a`, 'create')
    await write(file, 'hello world', 0)
    await completed<void>((done) => file.truncate(5, done))
    t.equal(await read(file, 0, 100), 'hello')
    await completed<void>((done) => file.truncate(8, done))
    t.equal(await read(file, 0, 100), 'hello\0\0\0', 'what was cut off does not come back')
    await close(file)
  })

  t.test('DISK-1 create empties a file, update keeps it, read does not write', async (t) => {
    const { files, root } = await make()
    t.equal(await code(open(files, `${root}/a`, 'read')), 'ENOENT')
    t.equal(await code(open(files, `${root}/a`, 'update')), 'ENOENT')
    t.equal(await code(open(files, `${root}/a`, 'updateDurable')), 'ENOENT')
    t.equal(await code(open(files, `${root}/none/a`, 'create')), 'ENOENT')
    const created = await open(files, `${root}/a`, 'create')
    await write(created, 'hello', 0)
    await close(created)
    for (const mode of ['update', 'updateDurable'] as const) {
      const updated = await open(files, `${root}/a`, mode)
      await write(updated, 'J', 0)
      t.equal(await read(updated, 0, 10), 'Jello', mode)
      await close(updated)
    }
    const reading = await open(files, `${root}/a`, 'read')
    t.equal(await code(write(reading, 'x', 0)), 'EBADF')
    await close(reading)
    const again = await open(files, `${root}/a`, 'create')
    t.equal(await read(again, 0, 10), '')
    await close(again)
  })

  t.test('DISK-1 rename replaces, unlink removes, list is sorted', async (t) => {
    const { files, root } = await make()
    for (const name of ['b', 'a', 'c']) {
      const file = await open(files, `${root}/${name}`, 'create')
      await write(file, name, 0)
      await close(file)
    }
    t.strictSame(await list(files, root), ['a', 'b', 'c'])
    await completed<void>((done) => files.rename(`${root}/c`, `${root}/a`, done))
    await completed<void>((done) => files.unlink(`${root}/b`, done))
    await completed<void>((done) => files.syncDirectory(root, done))
    t.strictSame(await list(files, root), ['a'])
    const file = await open(files, `${root}/a`, 'read')
    t.equal(await read(file, 0, 10), 'c')
    await close(file)
    t.equal(await code(completed<void>((done) => files.unlink(`${root}/b`, done))), 'ENOENT')
    t.equal(
      await code(completed<void>((done) => files.rename(`${root}/b`, `${root}/d`, done))),
      'ENOENT',
    )
    t.equal(await code(list(files, `${root}/none`)), 'ENOENT')
    t.equal(await code(list(files, `${root}/a`)), 'ENOTDIR')
  })

  t.test('DISK-1 mkdir makes one level and refuses what exists', async (t) => {
    const { files, root } = await make()
    const mkdir = (path: string): Promise<void> => completed((done) => files.mkdir(path, done))
    t.equal(await code(mkdir(`${root}/a/b`)), 'ENOENT')
    await mkdir(`${root}/a`)
    await mkdir(`${root}/a/b`)
    t.equal(await code(mkdir(`${root}/a`)), 'EEXIST')
    await completed<void>((done) => files.syncDirectory(`${root}/a`, done))
    t.strictSame(await list(files, `${root}/a`), ['b'])
    t.equal(
      await code(completed<void>((done) => files.syncDirectory(`${root}/none`, done))),
      'ENOENT',
    )
  })

  t.test('DISK-1 a file that is open outlives its name', async (t) => {
    const { files, root } = await make()
    const file = await open(files, `${root}/a`, 'create')
    await write(file, 'hello', 0)
    await completed<void>((done) => files.unlink(`${root}/a`, done))
    t.equal(await read(file, 0, 10), 'hello')
    await close(file)
    t.strictSame(await list(files, root), [])
  })

  t.test('DISK-1 a completion is never called before its operation has returned', async (t) => {
    const { files, root } = await make()
    const file = await open(files, `${root}/a`, 'create')
    let hasReturned = false
    const written = new Promise<boolean>((resolve) => {
      file.write(Buffer.from('x'), 0, () => resolve(hasReturned))
    })
    hasReturned = true
    t.ok(await written)
    await close(file)
  })
}
