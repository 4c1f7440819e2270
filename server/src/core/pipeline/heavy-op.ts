import { limits, type Op } from '@conclave/protocol'

/** True for what may look at much more than it says. */
export const isHeavy = (op: Op): boolean => {
  switch (op.op) {
    case 'getChildren':
    case 'getEphemerals':
    case 'countDescendants':
    case 'multiRead':
    case 'rearmWatches':
    case 'deleteRecursive':
      return true
    case 'multi':
      return partsOf(op) > lightParts
    default:
      return false
  }
}

/** What a heavy write costs; reads count as they go. A change costs as much as several looks. */
export const looksOfWrite = (op: Op): number => {
  if (op.op === 'deleteRecursive') return limits.deletePiece * looksPerChange
  return op.op === 'multi' ? partsOf(op) * looksPerChange : looksPerChange
}

const partsOf = (op: Op<'multi'>): number =>
  op.fences.length + op.compares.length + op.then.length + op.else.length

const lightParts = 16
const looksPerChange = 8
