import { type MessageCodec, messageCodec } from '@conclave/protocol/codec'
import { type PeerFrame, peerFrameSchema } from '@conclave/protocol/peer'
import { encodedTxn } from '../txn-codec.js'

export const peerMessages: MessageCodec<PeerFrame> = messageCodec(peerFrameSchema(encodedTxn))
