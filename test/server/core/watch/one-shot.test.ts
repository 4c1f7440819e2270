import type { Op } from '@conclave/protocol'
import t from 'tap'
import {
  bytesOf,
  type ClientKit,
  create,
  getChildren,
  getData,
  remove,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'
import { ping, reattach, requestOf, told, together } from '../../../support/session-kit.js'
import { auth, closeSession, exists, multi, setAcl, world } from '../../../support/tree-kit.js'

const watched = (op: Op<'exists'> | Op<'getData'> | Op<'getChildren'>): Op => ({
  ...op,
  watch: true,
})
const watchChildren = (path: string): Op => getChildren(path, { watch: true })
const removeWatches = (path: string, kind: 'data' | 'child' | 'any'): Op => ({
  op: 'removeWatches',
  path,
  kind,
})
const data = bytesOf('x')

/** One who watches and one who writes, with `/a` there. @returns also the zxid so far */
const scene = (): { kit: ReplicaKit; watcher: ClientKit; writer: ClientKit; zxid: number } => {
  const kit = new ReplicaKit()
  const writer = kit.client()
  writer.create('/a')
  const watcher = kit.client()
  return { kit, watcher, writer, zxid: kit.replica.status.zxid }
}

t.test('WATCH-1 a data watch fires once', async (t) => {
  for (const read of [getData('/a'), exists('/a')]) {
    const { watcher, writer, zxid } = scene()
    watcher.ok(watched(read))
    writer.ok(setData('/a', data))
    writer.ok(setData('/a', data))
    writer.ok(remove('/a'))
    t.same(told(watcher), [`${zxid + 1} data dataChanged /a`])
    writer.create('/a')
    watcher.ok(watched(read))
    writer.ok(remove('/a'))
    writer.create('/a')
    t.same(told(watcher), [`${zxid + 5} data deleted /a`])
  }
})

t.test('WATCH-2 a watch on an absent znode fires when it is created', async (t) => {
  const { watcher, writer, zxid } = scene()
  watcher.ok(watched(exists('/b')))
  writer.create('/b-other')
  writer.create('/b')
  writer.ok(setData('/b', data))
  writer.ok(remove('/b'))
  writer.create('/b')
  t.same(told(watcher), [`${zxid + 2} data created /b`])
})

t.test('WATCH-3 a child watch fires once', async (t) => {
  const { watcher, writer, zxid } = scene()
  watcher.ok(watchChildren('/a'))
  writer.create('/a/b')
  writer.create('/a/c')
  t.same(told(watcher), [`${zxid + 1} child childrenChanged /a`])
  watcher.ok(watchChildren('/a'))
  writer.ok(remove('/a/b'))
  writer.ok(remove('/a/c'))
  t.same(told(watcher), [`${zxid + 3} child childrenChanged /a`])
  watcher.ok(watchChildren('/a'))
  writer.ok(remove('/a'))
  writer.create('/a')
  t.same(told(watcher), [`${zxid + 5} child deleted /a`])
})

t.test('WATCH-4 both watches of a deleted znode fire as one event', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  watcher.ok(watchChildren('/a'))
  watcher.ok(watched(getData('/a')))
  writer.ok(remove('/a'))
  t.equal(kit.replica.status.watches, 0)
  writer.create('/a')
  writer.create('/a/b')
  t.same(told(watcher), [`${zxid + 1} data deleted /a`])
})

t.test('WATCH-5 a watch set several times sends one event', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  const other = kit.client()
  for (const read of [getData('/a'), exists('/a'), getData('/a')]) watcher.ok(watched(read))
  for (let i = 0; i < 3; i++) watcher.ok(watchChildren('/a'))
  other.ok(watched(getData('/a')))
  writer.ok(setData('/a', data))
  writer.create('/a/b')
  writer.ok(setData('/a', data))
  writer.create('/a/c')
  t.same(told(watcher), [`${zxid + 2} data dataChanged /a`, `${zxid + 3} child childrenChanged /a`])
  t.same(told(other), [`${zxid + 2} data dataChanged /a`], 'each client its own')
})

t.test('WATCH-6 what does not concern a watch leaves it armed', async (t) => {
  const { kit, watcher, writer } = scene()
  writer.create('/a/b')
  watcher.ok(watched(getData('/a')))
  watcher.ok(watchChildren('/a'))
  watcher.ok(watched(exists('/z')))
  writer.ok(setAcl('/a', world(31)))
  writer.create('/a/b/c')
  writer.ok(setData('/a/b', data))
  writer.ok(remove('/a/b/c'))
  t.same(told(watcher), [])
  t.equal(kit.replica.status.watches, 3)
  writer.ok(setData('/a', data))
  const { zxid } = kit.replica.status
  t.same(told(watcher), [`${zxid} data dataChanged /a`], 'and a setData no child watch')
  writer.create('/a/d')
  t.same(told(watcher), [`${zxid + 1} child childrenChanged /a`])
})

t.test('WATCH-7 the event of the znode comes before that of its parent', async (t) => {
  const { watcher, writer, zxid } = scene()
  watcher.ok(watchChildren('/a'))
  watcher.ok(watched(exists('/a/b')))
  writer.create('/a/b')
  t.same(told(watcher), [`${zxid + 1} data created /a/b`, `${zxid + 1} child childrenChanged /a`])
  watcher.ok(watchChildren('/a'))
  watcher.ok(watched(exists('/a/b')))
  writer.ok(remove('/a/b'))
  t.same(told(watcher), [`${zxid + 2} data deleted /a/b`, `${zxid + 2} child childrenChanged /a`])
})

t.test('WATCH-8 an event comes before what shows its state', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  watcher.ok(watched(getData('/a')))
  kit.isDiskHeld = true
  together([
    [writer, requestOf(setData('/a', data), 2)],
    [watcher, requestOf(create('/b'), 2)],
    [watcher, requestOf(watched(exists('/c')) as Op, 3)],
    [watcher, requestOf(create('/c'), 4)],
    [watcher, requestOf(getData('/a'), 5)],
  ])
  kit.releaseDisk()
  t.same(told(watcher), [
    `${zxid + 1} data dataChanged /a`,
    'reply 2',
    'reply 3',
    `${zxid + 3} data created /c`,
    'reply 4',
    'reply 5',
  ])
  watcher.ok(watched(getData('/a')))
  kit.isDiskHeld = true
  together([
    [writer, requestOf(setData('/a', data), 3)],
    [watcher, ping(1)],
  ])
  t.same(told(watcher), ['pong 1'], 'what is not committed is not shown')
  kit.releaseDisk()
  watcher.frame(ping(2))
  t.same(told(watcher), [`${zxid + 4} data dataChanged /a`, 'pong 2'])
})

t.test('WATCH-9 events come in zxid order, inside a multi in that of its ops', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  for (const path of ['/a', '/b', '/c']) watcher.ok(watched(exists(path)))
  watcher.ok(watchChildren('/'))
  kit.isDiskHeld = true
  writer.send(multi([create('/c'), setData('/a', data), create('/b'), remove('/c')]))
  writer.send(create('/d'))
  kit.releaseDisk()
  t.same(told(watcher), [
    `${zxid + 1} data created /c`,
    `${zxid + 1} child childrenChanged /`,
    `${zxid + 1} data dataChanged /a`,
    `${zxid + 1} data created /b`,
  ])
})

t.test('WATCH-9 those of a closeSession come in the order of the czxids', async (t) => {
  const { kit, writer } = scene()
  for (const path of ['/z', '/m', '/b']) writer.create(path, { kind: 'ephemeral' })
  kit.restart()
  const watcher = kit.client()
  for (const path of ['/b', '/m', '/z', '/a-new']) watcher.ok(watched(exists(path)))
  const again = reattach(writer)
  kit.isDiskHeld = true
  again.send(create('/a-new', { kind: 'ephemeral' }))
  again.send(closeSession)
  kit.releaseDisk()
  const { zxid } = kit.replica.status
  t.same(told(watcher), [
    `${zxid - 1} data created /a-new`,
    `${zxid} data deleted /z`,
    `${zxid} data deleted /m`,
    `${zxid} data deleted /b`,
  ])
})

t.test('WATCH-10 a refused read sets no watch', async (t) => {
  const { kit, watcher, writer } = scene()
  writer.ok(setAcl('/a', world(30)))
  t.equal(watcher.code(watched(getData('/none'))), 'noNode')
  t.equal(watcher.code(watchChildren('/none')), 'noNode')
  for (const read of [getData('/a'), exists('/a'), getChildren('/a')]) {
    t.equal(watcher.code(watched(read)), 'noAuth')
  }
  t.equal(kit.replica.status.watches, 0)
  writer.ok(setAcl('/a', world(31)))
  writer.create('/none')
  writer.ok(setData('/a', data))
  t.same(told(watcher), [])
})

t.test('WATCH-10 a refused write fires nothing', async (t) => {
  const { kit, watcher, writer } = scene()
  watcher.ok(watched(getData('/a')))
  watcher.ok(watchChildren('/a'))
  t.equal(writer.code(setData('/a', data, 7)), 'badVersion')
  t.equal(writer.code(multi([setData('/a', data), create('/a/b'), remove('/none')])), 'noNode')
  t.equal(writer.code(create('/a')), 'nodeExists')
  t.same(told(watcher), [])
  t.equal(kit.replica.status.watches, 2)
})

t.test('WATCH-11 removeWatches takes watches away', async (t) => {
  const { kit, watcher, writer } = scene()
  const other = kit.client()
  const arm = (): void => {
    for (const path of ['/a', '/']) {
      watcher.ok(watched(getData(path)))
      watcher.ok(watchChildren(path))
    }
  }
  arm()
  other.ok(watched(getData('/a')))
  watcher.ok(removeWatches('/a', 'data'))
  t.equal(watcher.code(removeWatches('/a', 'data')), 'noWatcher')
  writer.ok(setData('/a', data))
  t.same(told(watcher), [])
  t.equal(told(other).length, 1, 'those of others stay')
  writer.create('/a/b')
  t.equal(told(watcher).length, 1, 'those of the other kind stay')
  arm()
  watcher.ok(removeWatches('/a', 'child'))
  t.equal(watcher.code(removeWatches('/a', 'child')), 'noWatcher')
  watcher.ok(removeWatches('/a', 'any'))
  t.equal(watcher.code(removeWatches('/a', 'any')), 'noWatcher')
  watcher.ok(watchChildren('/a'))
  watcher.ok(removeWatches('/a', 'any'))
  writer.ok(setData('/a', data))
  writer.ok(remove('/a/b'))
  t.same(told(watcher), [])
  writer.create('/c')
  const { zxid } = kit.replica.status
  t.same(told(watcher), [`${zxid} child childrenChanged /`], 'those of other paths stay')
})

t.test('WATCH-16 a watch whose event may not be read stays armed', async (t) => {
  const { kit, watcher, writer } = scene()
  const id = writer.ok(auth('u', 'p')).identity.id
  const secret = [{ scheme: 'digest', id, permissions: 31 }] as const
  watcher.ok(watched(getData('/a')))
  watcher.ok(watchChildren('/a'))
  writer.ok(setAcl('/a', secret))
  writer.ok(setData('/a', data))
  writer.create('/a/b')
  t.same(told(watcher), [])
  t.equal(kit.replica.status.watches, 2)
  writer.ok(setAcl('/a', world(31)))
  writer.ok(setData('/a', data))
  const { zxid } = kit.replica.status
  t.same(told(watcher), [`${zxid} data dataChanged /a`])
})

t.test('WATCH-5 a connection that is gone watches nothing', async (t) => {
  const { kit, watcher } = scene()
  watcher.ok(watched(getData('/a')))
  kit.step({ input: 'clientLost', connection: watcher.connection })
  t.equal(kit.replica.status.watches, 0)
})
