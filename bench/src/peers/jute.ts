/** ZooKeeper's wire format, as far as a generator needs it (zookeeper.jute, 3.8). */
export const opcodes = {
  create: 1,
  getData: 4,
  setData: 5,
  ping: 11,
  addWatch: 106,
  closeSession: -11,
} as const

export const specialXids = { event: -1, ping: -2 } as const

/** Behind the length that every message has in front. */
export const replyHeaderBytes = 16

export const encodeConnect = (sessionTimeoutMs: number): Buffer => {
  const message = Buffer.alloc(4 + 45)
  message.writeInt32BE(45, 0)
  message.writeInt32BE(sessionTimeoutMs, 16)
  message.writeInt32BE(passwordBytes, 28)
  return message
}

export const encodeHeader = (xid: number, opcode: number): Buffer => request(xid, opcode, 0)

export const encodeCreate = (xid: number, path: string, data: Buffer): Buffer => {
  const size = 4 + path.length + 4 + data.length + openAcl.length + 4
  const message = request(xid, opcodes.create, size)
  let at = writeBytes(message, writePath(message, path), data)
  at += openAcl.copy(message, at)
  message.writeInt32BE(0, at)
  return message
}

export const encodeSetData = (xid: number, path: string, data: Buffer): Buffer => {
  const message = request(xid, opcodes.setData, 4 + path.length + 4 + data.length + 4)
  message.writeInt32BE(-1, writeBytes(message, writePath(message, path), data))
  return message
}

export const encodeGetData = (xid: number, path: string): Buffer => {
  const message = request(xid, opcodes.getData, 4 + path.length + 1)
  message[writePath(message, path)] = 0
  return message
}

/** A watch that stays (since 3.6), so that nothing has to be read again to be told again. */
export const encodeAddWatch = (xid: number, path: string): Buffer => {
  const message = request(xid, opcodes.addWatch, 4 + path.length + 4)
  message.writeInt32BE(persistentMode, writePath(message, path))
  return message
}

/** @param at where the stat begins */
export const versionOfStat = (message: Buffer, at: number): number => message.readInt32BE(at + 32)

const headerBytes = 12

/** Paths here are ASCII. */
const request = (xid: number, opcode: number, size: number): Buffer => {
  const message = Buffer.allocUnsafe(headerBytes + size)
  message.writeInt32BE(8 + size, 0)
  message.writeInt32BE(xid, 4)
  message.writeInt32BE(opcode, 8)
  return message
}

const writePath = (message: Buffer, path: string): number => {
  message.writeInt32BE(path.length, headerBytes)
  return headerBytes + 4 + message.write(path, headerBytes + 4, 'latin1')
}

const writeBytes = (message: Buffer, at: number, bytes: Buffer): number => {
  message.writeInt32BE(bytes.length, at)
  return at + 4 + bytes.copy(message, at + 4)
}

const openAcl = Buffer.from(
  '00000001' + // one entry
    '0000001f' + // all permissions
    `00000005${Buffer.from('world').toString('hex')}` +
    `00000006${Buffer.from('anyone').toString('hex')}`,
  'hex',
)

const persistentMode = 0
const passwordBytes = 16
