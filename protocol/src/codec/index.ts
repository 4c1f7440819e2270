export * from './message.js'
export * from './msgpack.js'
