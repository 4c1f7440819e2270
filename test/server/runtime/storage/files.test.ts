import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rmSync } from 'node:fs'
import t from 'tap'
import { completed, errorCode, type OpenFile } from '#server/runtime/storage/files.js'
import { nodeFiles } from '#server/runtime/storage/node-files.js'
import { filesContract } from '../../../contracts/files-contract.js'
import { type Choose, diskError, VirtualDisk } from '../../../support/virtual-disk.js'

t.test('DISK-1 the real file system', async (t) => {
  filesContract(t, async () => {
    const root = await mkdtemp(join(tmpdir(), 'conclave-files-'))
    t.teardown(() => rmSync(root, { recursive: true }))
    return { files: nodeFiles, root }
  })
})

t.test('DISK-1 the virtual disk', async (t) => {
  filesContract(t, async () => {
    const files = new VirtualDisk()
    await completed<void>((done) => files.mkdir('/root', done))
    return { files, root: '/root' }
  })
})

const nothing: Choose = () => 0
const newest: Choose = (count) => count - 1

const create = async (disk: VirtualDisk, path: string, text: string): Promise<OpenFile> => {
  const file = await completed<OpenFile>((done) => disk.open(path, 'create', done))
  await completed<void>((done) => file.write(Buffer.from(text), 0, done))
  return file
}

t.test('DISK-2 a crash of the process keeps what was written, a power loss may not', async (t) => {
  const disk = new VirtualDisk()
  await create(disk, '/a', 'hello')
  t.equal(disk.processCrash().content('/a').toString(), 'hello')
  t.strictSame(disk.powerLoss(nothing).names('/'), [])
  t.equal(disk.powerLoss(newest).content('/a').toString(), 'hello')
})

t.test('DISK-2 a file and its name are synced apart from each other', async (t) => {
  const disk = new VirtualDisk()
  const file = await create(disk, '/a', 'hello')
  await completed<void>((done) => file.sync(done))
  t.strictSame(disk.powerLoss(nothing).names('/'), [])
  const named = new VirtualDisk()
  await create(named, '/a', 'hello')
  await completed<void>((done) => named.syncDirectory('/', done))
  t.equal(named.powerLoss(nothing).content('/a').length, 0)
})

t.test('DISK-2 any subset of unsynced sectors may be on the disk', async (t) => {
  const disk = new VirtualDisk()
  const file = await create(disk, '/a', 'a'.repeat(1024))
  await completed<void>((done) => disk.syncDirectory('/', done))
  await completed<void>((done) => file.sync(done))
  await completed<void>((done) => file.write(Buffer.from('b'.repeat(1024)), 0, done))
  const seen = new Set<string>()
  for (const picks of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]) {
    const left = [...picks]
    const content = disk.powerLoss(() => left.shift() ?? 0).content('/a')
    seen.add(`${String.fromCharCode(content[0] ?? 0, content[512] ?? 0)}`)
  }
  t.strictSame([...seen], ['aa', 'ab', 'ba', 'bb'])
})

t.test('DISK-2 a completed durable write survives every power loss', async (t) => {
  const disk = new VirtualDisk()
  const file = await create(disk, '/a', 'hello')
  await completed<void>((done) => file.sync(done))
  await completed<void>((done) => disk.syncDirectory('/', done))
  const durable = await completed<OpenFile>((done) => disk.open('/a', 'updateDurable', done))
  await completed<void>((done) => durable.write(Buffer.from('J'), 0, done))
  t.equal(disk.powerLoss(nothing).content('/a').toString(), 'Jello')
})

t.test('DISK-2 after a failed fsync the next one succeeds and the data is gone', async (t) => {
  const disk = new VirtualDisk()
  const file = await create(disk, '/a', 'hello')
  await completed<void>((done) => file.sync(done))
  await completed<void>((done) => disk.syncDirectory('/', done))
  await completed<void>((done) => file.write(Buffer.from('J'), 0, done))
  disk.fault = ({ kind }) => (kind === 'sync' ? diskError('EIO') : null)
  const failed = completed<void>((done) => file.sync(done))
  await t.rejects(failed, { code: 'EIO' })
  disk.fault = () => null
  await completed<void>((done) => file.sync(done))
  t.equal(disk.content('/a').toString(), 'Jello')
  t.equal(disk.powerLoss(newest).content('/a').toString(), 'hello')
})

t.test('DISK-2 a write to a full disk leaves a part of itself', async (t) => {
  const disk = new VirtualDisk()
  const file = await create(disk, '/a', '')
  disk.fault = ({ kind }) => (kind === 'write' ? diskError('ENOSPC') : null)
  const error = await completed<void>((done) => file.write(Buffer.from('abcd'), 0, done)).then(
    () => null,
    errorCode,
  )
  t.equal(error, 'ENOSPC')
  t.equal(disk.content('/a').toString(), 'ab')
})

t.test('DISK-2 nothing completes once the power is gone', async (t) => {
  const disk = new VirtualDisk()
  const file = await create(disk, '/a', 'hello')
  let calls = 0
  const isDead = disk.dieAt(1)
  file.sync(() => calls++)
  file.size(() => calls++)
  await isDead
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(calls, 0)
})
