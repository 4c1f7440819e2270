export * from './frames.js'
export * from './hard-state.js'
export * from './snapshot.js'
export * from './txn.js'
