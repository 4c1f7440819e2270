import type { Compare, Fence, MultiOp, Op, StreamPosition, Zxid } from '@conclave/protocol'
import type { Actor } from './actors.js'
import type { Model } from './model.js'

/**
 * Operations of a script are whole operations, in which some values stand for what is only known
 * when they are sent. Such a value is put in its place here.
 */

/** In place of a version or a czxid: the present one. */
export const present = 1_000_000_001
/** In place of a cursor: the last that came for this path. */
export const lastCursor = Uint8Array.of(0x6c, 0x61, 0x73, 0x74)
export const badCursor = Uint8Array.of(1, 2, 3)

/** In place of the ensemble of a position: where the stream of that id stood. */
export const whereItStood = 'where it stood'
/** So many txns back from the present; negative: in the future. */
export const back = 'back'
export const otherEnsemble = 'other ensemble'

export const resolve = (op: Op, model: Model, actor: Actor): Op => {
  switch (op.op) {
    case 'delete':
    case 'setData':
    case 'setAcl':
    case 'check':
      return { ...op, version: versionOf(op, model) }
    case 'multi':
      return {
        ...op,
        fences: op.fences.map((fence) => resolveFence(fence, model)),
        compares: op.compares.map((compare) => resolveCompare(compare, model)),
        then: op.then.map((part) => resolvePart(part, model)),
        else: op.else.map((part) => resolvePart(part, model)),
      }
    case 'getChildren':
    case 'countDescendants':
    case 'getEphemerals': {
      const known = op.op === 'getChildren' ? actor.cursors.get(op.path) : undefined
      return { ...op, cursor: op.cursor === lastCursor ? (known ?? null) : op.cursor }
    }
    case 'watch':
      return { ...op, from: op.from && resolvePosition(op.from, op.streamId, model, actor) }
    case 'rearmWatches':
      return { ...op, fromZxid: Math.max(0, model.zxid - op.fromZxid) as Zxid }
    default:
      return op
  }
}

type Versioned = { readonly op: string; readonly path: unknown; readonly version: number }

const versionOf = ({ op, path, version }: Versioned, model: Model): number => {
  if (version !== present) return version
  const znode = typeof path === 'string' ? model.tree.get(path) : undefined
  return (op === 'setAcl' ? znode?.aversion : znode?.version) ?? 0
}

const resolvePart = (part: MultiOp, model: Model): MultiOp =>
  'version' in part ? { ...part, version: versionOf(part, model) } : part

const resolveFence = (fence: Fence, model: Model): Fence => ({
  ...fence,
  czxid: fence.czxid === present ? czxidOf(fence.path, model) : fence.czxid,
})

const czxidOf = (path: string, model: Model): Zxid => (model.tree.get(path)?.czxid ?? 0) as Zxid

const resolveCompare = (compare: Compare, model: Model): Compare => {
  if (compare.equals !== present) return compare
  const znode = model.tree.get(compare.path)
  const values = { version: znode?.version, ephemeralOwner: znode?.owner, czxid: znode?.czxid }
  const equals = values[compare.compare as keyof typeof values] ?? 0
  return { ...compare, equals } as Compare
}

const resolvePosition = (
  from: StreamPosition,
  streamId: number,
  model: Model,
  actor: Actor,
): StreamPosition | null => {
  const ensembleId = actor.ensembleId
  if (from.ensembleId === otherEnsemble) return from
  if (from.ensembleId === whereItStood) return actor.streams.get(streamId)?.position ?? null
  return { ...from, ensembleId, zxid: Math.max(0, model.zxid - from.zxid) as Zxid }
}
