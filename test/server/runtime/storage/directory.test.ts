import { type ChildProcess, fork } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dataVersion } from '@conclave/protocol'
import t, { type Test } from 'tap'
import { openDataDirectory } from '#server/runtime/storage/data-directory.js'
import { lockDirectory } from '#server/runtime/storage/directory-lock.js'
import { type OpenedStorage, openStorage } from '#server/runtime/storage/index.js'
import { nodeFiles } from '#server/runtime/storage/node-files.js'
import { ReadingVisitor, open, readingOf, zxidsOf } from '../../../support/storage-kit.js'
import { diskError, VirtualDisk } from '../../../support/virtual-disk.js'

const quiet = { log: () => undefined, onDiskSpace: () => undefined, onFatal: () => undefined }

const place = (t: Test): string => {
  const root = mkdtempSync(join(tmpdir(), 'conclave-storage-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  return join(root, 'data')
}

const start = (directory: string): Promise<OpenedStorage> =>
  openStorage({ directory, segmentBytes: 65_536, ...quiet })

const child = (t: Test, directory: string): ChildProcess => {
  const path = fileURLToPath(new URL('../../../support/storage-child.js', import.meta.url))
  const process = fork(path, [directory])
  t.teardown(() => process.kill('SIGKILL'))
  return process
}

const refusal = (problem: string): { readonly name: string; readonly problem: string } => ({
  name: 'DataDirectoryError',
  problem,
})

interface Message {
  readonly opened?: number
  readonly done?: number
  readonly refused?: string
}

const messageOf = (process: ChildProcess, wanted: keyof Message): Promise<Message> =>
  new Promise((resolve) => {
    const listener = (message: unknown): void => {
      if ((message as Message)[wanted] === undefined) return
      process.off('message', listener)
      resolve(message as Message)
    }
    process.on('message', listener)
  })

t.test('DISK-23 a second server on a directory is refused, by any path', async (t) => {
  const directory = place(t)
  const first = await start(directory)
  await t.rejects(start(directory), refusal('locked'))
  symlinkSync(directory, `${directory}-link`)
  await t.rejects(start(`${directory}-link`), refusal('locked'))
  await first.storage.close()
  const second = await start(directory)
  await second.storage.close()
})

t.test('DISK-23 of servers that start together on a new directory one has it', async (t) => {
  for (let round = 0; round < 100; round++) {
    const directory = join(place(t), 'of', 'server-1')
    const started = await Promise.allSettled([1, 2, 3].map(() => start(directory)))
    const opened = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const refused = started.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    t.equal(opened.length, 1)
    for (const error of refused) t.match(error, refusal('locked'))
    await opened[0]?.recover(new ReadingVisitor())
    await opened[0]?.storage.close()
  }
})

t.test('DISK-23 so does one of two processes', async (t) => {
  for (let round = 0; round < 3; round++) {
    const directory = place(t)
    const children = [child(t, directory), child(t, directory)]
    const outcomes = await Promise.all(
      children.map((one) => Promise.race([messageOf(one, 'opened'), messageOf(one, 'refused')])),
    )
    t.same(
      new Set(outcomes.map(({ opened, refused }) => refused ?? opened)),
      new Set([0, 'locked']),
    )
  }
})

t.test('DISK-23 where there are no abstract sockets the lock is a process id', async (t) => {
  const directory = place(t)
  mkdirSync(directory)
  const pidFile = join(directory, 'server.pid')
  const first = await lockDirectory(directory, 'darwin')
  writeFileSync(pidFile, `${process.ppid}\n`)
  await t.rejects(lockDirectory(directory, 'darwin'), refusal('locked'))
  for (const leftover of [`${process.pid}\n`, '', 'x', '4194305\n']) {
    writeFileSync(pidFile, leftover)
    const lock = await lockDirectory(directory, 'darwin')
    await lock.release()
    t.notOk(statSync(pidFile, { throwIfNoEntry: false }))
  }
  await first.release()
})

t.test('DISK-23 of two that find the lock of a dead process one removes it', async (t) => {
  const directory = place(t)
  mkdirSync(directory)
  const [pidFile, turn] = ['server.pid', 'server.pid.taking'].map((name) => join(directory, name))
  writeFileSync(pidFile ?? '', '4194305\n')
  mkdirSync(turn ?? '')
  await t.rejects(lockDirectory(directory, 'darwin'), refusal('locked'))
  t.equal(readFileSync(pidFile ?? '', 'latin1'), '4194305\n', 'it is another one that removes it')
  rmdirSync(turn ?? '')
  const lock = await lockDirectory(directory, 'darwin')
  t.equal(readFileSync(pidFile ?? '', 'latin1'), `${process.pid}\n`)
  t.strictSame(readdirSync(directory), ['server.pid'])
  await lock.release()
})

t.test('DISK-24 after kill -9 the directory opens and has all that was done', async (t) => {
  const directory = place(t)
  let least = 0
  for (let round = 0; round < 2; round++) {
    const process = child(t, directory)
    const { opened } = await messageOf(process, 'opened')
    t.ok((opened ?? -1) >= least)
    await t.rejects(start(directory), refusal('locked'))
    let done = 0
    process.on('message', ({ done: zxid }: Message) => (done = zxid ?? done))
    while (done < least + 200) await messageOf(process, 'done')
    const isGone = new Promise((resolve) => process.once('exit', resolve))
    process.kill('SIGKILL')
    await isGone
    least = done
  }
  const { recover, storage } = await start(directory)
  const visitor = new ReadingVisitor()
  const { last } = await recover(visitor)
  t.ok(last.zxid >= least)
  t.strictSame(
    zxidsOf(visitor.txns),
    Array.from({ length: last.zxid }, (_, index) => index + 1),
  )
  await storage.close()
})

t.test('DISK-24 a second process is refused too', async (t) => {
  const directory = place(t)
  const { storage } = await start(directory)
  t.equal((await messageOf(child(t, directory), 'refused')).refused, 'locked')
  await storage.close()
})

t.test('DISK-25 a directory is made with its parents, for its owner only', async (t) => {
  const directory = join(place(t), 'of', 'server-1')
  const { storage, recover } = await start(directory)
  await recover(new ReadingVisitor())
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.equal(statSync(join(directory, 'log-0000000001')).mode & 0o777, 0o600)
  await storage.close()
})

t.test('DISK-25 what is no Conclave directory of this version is refused', async (t) => {
  const foreign = new VirtualDisk()
  await openDataDirectory(foreign, '/data')
  foreign.remove('/data/conclave-data')
  foreign.plant('/data/notes.txt', Buffer.from('mine'))
  await t.rejects(open(foreign), {
    ...refusal('foreign'),
    message: /holds "notes.txt".*name an empty or a new directory/,
  })
  t.strictSame(foreign.names('/data'), ['notes.txt'], 'nothing was touched')

  for (const [content, problem] of [
    [`conclave data ${dataVersion + 1}\n`, 'otherVersion'],
    [`conclave data ${dataVersion}`, 'foreign'],
    ['', 'foreign'],
  ] as const) {
    const disk = new VirtualDisk()
    await open(disk)
    disk.remove('/data/conclave-data')
    disk.plant('/data/conclave-data', Buffer.from(content))
    await t.rejects(open(disk.processCrash()), refusal(problem))
  }
  const left = new VirtualDisk()
  await open(left)
  left.remove('/data/conclave-data')
  await t.rejects(open(left.processCrash()), refusal('foreign'), 'its own files do not count')
})

t.test('DISK-25 a directory that was begun and not finished is taken', async (t) => {
  const disk = new VirtualDisk()
  await openDataDirectory(disk, '/data')
  disk.remove('/data/conclave-data')
  disk.plant('/data/conclave-data.tmp', Buffer.from('con'))
  t.equal((await readingOf(disk)).last.zxid, 0)
})

t.test('DISK-25 what the file system refuses is said in one sentence', async (t) => {
  for (const [code, problem] of [
    ['EACCES', 'noPermission'],
    ['EPERM', 'noPermission'],
    ['EROFS', 'noPermission'],
    ['ENOTDIR', 'notDirectory'],
    ['ENOSPC', 'noSpace'],
    ['EIO', 'unreadable'],
  ] as const) {
    for (const failing of ['mkdir', 'list', 'create'] as const) {
      const disk = new VirtualDisk()
      disk.fault = ({ kind, path }) =>
        kind === failing && path.startsWith('/data') ? diskError(code) : null
      await t.rejects(
        open(disk),
        { ...refusal(problem), message: /^\/data: .*; .*\.$/ },
        `${code} ${failing}`,
      )
    }
  }
  const disk = new VirtualDisk()
  await open(disk)
  disk.fault = ({ kind, path }) =>
    kind === 'open' && path.includes('log-') ? diskError('EACCES') : null
  await t.rejects(open(disk), refusal('noPermission'), 'a file inside')
})

t.test('DISK-25 a file where the directory should be is refused', async (t) => {
  const directory = place(t)
  writeFileSync(directory, '')
  await t.rejects(openDataDirectory(nodeFiles, directory), refusal('notDirectory'))
  await t.rejects(openDataDirectory(nodeFiles, `${directory}/below`), refusal('notDirectory'))
})
