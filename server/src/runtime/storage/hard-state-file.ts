import { dataVersion, type Zxid } from '@conclave/protocol'
import { pack, unpack } from '@conclave/protocol/codec'
import { type HardState, hardStateSchema } from '@conclave/protocol/peer'
import { crc32 } from './binary.js'
import { DamageError } from './damage-error.js'
import { errorCode, type Files } from './files.js'
import { readWholeFile, replaceFile, syncFile, within } from './whole-file.js'

export const hardStateName = 'hard-state'

/** Replaces the hard state; it is durable when the promise resolves. */
export const writeHardState = (
  files: Files,
  directory: string,
  hardState: HardState,
): Promise<void> => replaceFile(files, directory, hardStateName, encodeHardState(hardState))

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

const hardStateMagic = 0x43_48_41_52
const headerBytes = 12
const crcBytes = 4
const hardStateBytesMax = 65_536
