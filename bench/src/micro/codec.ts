import {
  type ClientFrame,
  encodeResult,
  type ServerFrame,
  type Stat,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import { suiteOf } from './micro-case.js'
import { payload } from './txns.js'

const frameCount = 32

const requests = Array.from({ length: frameCount }, (_, index): ClientFrame => ({
  frame: 'request',
  xid: (index + 1) as Xid,
  ackedXid: 0 as Xid,
  refusedSeen: 0 as Xid,
  op: { op: 'setData', path: `/services/database/instance-${index}`, data: payload, version: -1 },
}))

const stat: Stat = {
  czxid: 1_000,
  mzxid: 2_000,
  pzxid: 1_000,
  ctime: 1_700_000_000_000,
  mtime: 1_700_000_001_000,
  version: 7,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0,
  dataLength: payload.length,
  numChildren: 0,
  kind: 'persistent',
  ttlMs: 0,
} as Stat

const replies = Array.from({ length: frameCount }, (_, index): ServerFrame => ({
  frame: 'reply',
  xid: (index + 1) as Xid,
  zxid: (2_000 + index) as Zxid,
  failure: null,
  result: encodeResult('setData', { stat }),
}))

const requestMessage = clientMessages.encode(requests)
const replyMessage = serverMessages.encode(replies)

export const codec = suiteOf('codec', [
  {
    name: 'encode 32 setData requests',
    operations: frameCount,
    run: () => void clientMessages.encode(requests),
  },
  {
    name: 'decode 32 setData requests',
    operations: frameCount,
    run: () => void clientMessages.decode(requestMessage),
  },
  {
    name: 'encode 32 replies',
    operations: frameCount,
    run: () => void serverMessages.encode(replies),
  },
  {
    name: 'decode 32 replies',
    operations: frameCount,
    run: () => void serverMessages.decode(replyMessage),
  },
])
