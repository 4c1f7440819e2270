import { DataDirectoryError, openStorage } from '#server/runtime/storage/index.js'
import { persistOf, ReadingVisitor, txnAt } from './storage-kit.js'

/**
 * A process of its own that uses a data directory: it says how it went, then persists txns one
 * after the other, naming each as it is done, until it is killed.
 */
const main = async (directory: string): Promise<void> => {
  const opened = await openStorage({
    directory,
    segmentBytes: 65_536,
    log: () => undefined,
    onDiskSpace: () => undefined,
    onFatal: (error) => {
      throw error
    },
  })
  const { last } = await opened.recover(new ReadingVisitor())
  process.send?.({ opened: last.zxid })
  const next = (zxid: number): void => {
    opened.storage.persist(persistOf({ txns: [txnAt(zxid)] }), () => {
      process.send?.({ done: zxid })
      next(zxid + 1)
    })
  }
  next(last.zxid + 1)
}

main(process.argv[2] ?? '').catch((error: unknown) => {
  process.send?.({ refused: error instanceof DataDirectoryError ? error.problem : String(error) })
  process.disconnect()
})
