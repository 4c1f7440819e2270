import { limits } from '@conclave/protocol'
import type { MessageCodec } from '@conclave/protocol/codec'

/** One message, or as many as the limit on a message's size asks for; a frame stays whole. */
export const messagesOf = <Frame>(
  codec: MessageCodec<Frame>,
  frames: readonly Frame[],
  bytesMax: number,
): readonly Uint8Array[] => {
  const fits = frames.length <= limits.framesPerMessageMax
  const message = fits ? codec.encode(frames) : null
  if (message !== null && (message.length <= bytesMax || frames.length === 1)) return [message]
  const half = frames.length >>> 1
  return [
    ...messagesOf(codec, frames.slice(0, half), bytesMax),
    ...messagesOf(codec, frames.slice(half), bytesMax),
  ]
}
