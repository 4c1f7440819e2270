import { dataVersion, type Zxid } from '@conclave/protocol'
import { pack, unpack } from '@conclave/protocol/codec'
import { type HardState, hardStateSchema } from '@conclave/protocol/peer'
import { crc32 } from './binary.js'
import { DamageError } from './damage-error.js'
import { completed, errorCode, type Files, isOutOfSpace, type OpenFile } from './files.js'
import { readWholeFile, syncDirectory, syncFile, within, withFile } from './whole-file.js'

export const hardStateName = 'hard-state'

/**
 * Replaces the hard state; it is durable when the promise resolves. Its room is reserved, so a full
 * disk does not keep servers from electing a leader, without whom nobody could even read.
 */
export const writeHardState = async (
  files: Files,
  directory: string,
  hardState: HardState,
): Promise<void> => {
  const bytes = encodeHardState(hardState)
  await withSpare(files, directory, async (spare) => {
    await completed<void>((done) => spare.write(bytes, 0, done))
    await completed<void>((done) => spare.truncate(bytes.length, done))
    await completed<void>((done) => spare.sync(done))
  })
  const [from, to] = [within(directory, spareName), within(directory, hardStateName)]
  await completed<void>((done) => files.rename(from, to, done))
  await syncDirectory(files, directory)
  await reserveHardState(files, directory)
}

/** Keeps room on the disk for the next hard state, if there is any. */
export const reserveHardState = async (files: Files, directory: string): Promise<void> => {
  try {
    await withSpare(files, directory, (spare) =>
      completed<void>((done) => spare.write(reservedZeros, 0, done)),
    )
  } catch (error) {
    if (!isOutOfSpace(error)) throw error
  }
}

/**
 * @returns null when it was never written
 * @throws DamageError when it is there and cannot be read
 */
export const readHardState = async (files: Files, directory: string): Promise<HardState | null> => {
  const path = within(directory, hardStateName)
  try {
    await syncFile(files, path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
  const bytes = await readWholeFile(files, path, hardStateBytesMax)
  const decoded = bytes === null ? 'it is too large' : decodeHardState(bytes)
  if (typeof decoded !== 'string') return decoded
  throw new DamageError({ file: path, offset: 0, zxid: 0 as Zxid }, decoded)
}

const withSpare = async (
  files: Files,
  directory: string,
  use: (spare: OpenFile) => Promise<void>,
): Promise<void> => {
  const path = within(directory, spareName)
  try {
    await withFile(files, path, 'update', use)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    await withFile(files, path, 'create', use)
  }
}

const encodeHardState = (hardState: HardState): Buffer => {
  const payload = pack(hardStateSchema.encode(hardState))
  const bytes = Buffer.alloc(headerBytes + payload.length + crcBytes)
  bytes.writeUInt32BE(hardStateMagic, 0)
  bytes.writeUInt32BE(dataVersion, 4)
  bytes.writeUInt32BE(payload.length, 8)
  bytes.set(payload, headerBytes)
  const end = headerBytes + payload.length
  bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end)
  return bytes
}

const decodeHardState = (bytes: Buffer): HardState | string => {
  if (bytes.length < headerBytes + crcBytes) return 'it is too short'
  if (bytes.readUInt32BE(0) !== hardStateMagic) return 'it does not begin like a hard state'
  const end = headerBytes + bytes.readUInt32BE(8)
  if (end + crcBytes !== bytes.length) return 'its length is wrong'
  if (bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end))) return 'its CRC is wrong'
  const version = bytes.readUInt32BE(4)
  if (version !== dataVersion) return `its data version is ${version}, not ${dataVersion}`
  try {
    return hardStateSchema.decode(unpack(bytes.subarray(headerBytes, end)), 'hardState')
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be decoded'
  }
}

/** It says nothing: it is there for its room. */
const spareName = `${hardStateName}.tmp`
const reservedZeros = Buffer.alloc(4_096)
const hardStateMagic = 0x43_48_41_52
const headerBytes = 12
const crcBytes = 4
const hardStateBytesMax = 65_536
