/** The rules PATH-1 to PATH-9, said once more. */

const forbidden = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xd800, 0xf8ff],
  [0xfff0, 0xffff],
] as const

const isForbidden = (unit: number): boolean =>
  forbidden.some(([first, last]) => unit >= first && unit <= last)

export const isGoodPath = (path: string): boolean => {
  if (path === '/') return true
  const [first, ...parts] = path.split('/')
  if (first !== '' || parts.length === 0 || parts.length > 64) return false
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return false
  const units = path.split('').map((unit) => unit.charCodeAt(0))
  return !units.some(isForbidden) && Buffer.byteLength(path) <= 1_024
}

/** What a sequential create is given: digits follow it. */
export const isGoodPrefix = (path: string): boolean =>
  isGoodPath(`${path}0000000000`) && Buffer.byteLength(path) <= 1_008

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

export const isBelow = (path: string, top: string): boolean =>
  path !== top && (top === '/' || path.startsWith(`${top}/`))

export const isReserved = (path: string): boolean =>
  path === '/conclave' || path.startsWith('/conclave/')
