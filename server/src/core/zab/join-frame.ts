import type { Epoch } from '@conclave/protocol'
import type { PeerFrame } from '@conclave/protocol/peer'

/** A frame of one join, before it is told which join of which epoch it belongs to. */
export type JoinFrame = Untagged<PeerFrame>
export type JoinFrameOf<N extends JoinFrame['frame']> = Extract<JoinFrame, { frame: N }>

type Untagged<F> = F extends { readonly epoch: Epoch; readonly join: number }
  ? Omit<F, 'epoch' | 'join'>
  : never
