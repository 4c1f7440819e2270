import { crc32 as crc32OfZlib } from 'node:zlib'

/** A disk writes a sector whole or not at all, so no sector is shared by two writes. */
export const sectorBytes = 512

export const crc32 = (bytes: Uint8Array, seed = 0): number => crc32OfZlib(bytes, seed)

export const roundUpToSector = (bytes: number): number =>
  Math.ceil(bytes / sectorBytes) * sectorBytes

const twoTo32 = 0x1_0000_0000

/** 64 bits, big endian, of which the upper 11 are zero. */
export const writeUint53 = (into: Buffer, value: number, offset: number): void => {
  into.writeUInt32BE(Math.floor(value / twoTo32), offset)
  into.writeUInt32BE(value % twoTo32, offset + 4)
}

/** May exceed 2^53 when the bytes are not what {@link writeUint53} wrote. */
export const readUint53 = (from: Buffer, offset: number): number =>
  from.readUInt32BE(offset) * twoTo32 + from.readUInt32BE(offset + 4)

/** The same bytes as a Buffer, not copied. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const zeros = Buffer.alloc(65_536)

/** Where the first byte other than zero stands at or after `from`; null when there is none. */
export const firstNonZero = (bytes: Buffer, from: number): number | null => {
  for (let start = from; start < bytes.length; start += zeros.length) {
    const end = Math.min(start + zeros.length, bytes.length)
    if (bytes.compare(zeros, 0, end - start, start, end) === 0) continue
    for (let offset = start; offset < end; offset++) if (bytes[offset] !== 0) return offset
  }
  return null
}
