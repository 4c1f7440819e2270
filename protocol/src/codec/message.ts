import {
  type ClientFrame,
  clientFrameSchema,
  type ServerFrame,
  serverFrameSchema,
} from '../frames.js'
import { limits } from '../limits.js'
import { type Schema, ShapeError } from '../schema.js'
import { pack, unpack } from './msgpack.js'

/** One message: an array of frames. Each side encodes its own frames and decodes the other's. */
export interface MessageCodec<Frame> {
  encode(frames: readonly Frame[]): Uint8Array
  /** @throws ShapeError when the message is not an array of well-formed frames */
  decode(message: Uint8Array): readonly Frame[]
}

export const messageCodec = <Frame>(schema: Schema<Frame>): MessageCodec<Frame> => ({
  encode: (frames) => pack(frames.map((frame) => schema.encode(frame))),
  decode(message) {
    const value = unpack(message)
    if (!Array.isArray(value)) throw new ShapeError('a message is an array of frames')
    if (value.length > limits.framesPerMessageMax) {
      throw new ShapeError(`a message has at most ${limits.framesPerMessageMax} frames`)
    }
    return value.map((frame) => schema.decode(frame, 'frame'))
  },
})

export const clientMessages: MessageCodec<ClientFrame> = messageCodec(clientFrameSchema)
export const serverMessages: MessageCodec<ServerFrame> = messageCodec(serverFrameSchema)
