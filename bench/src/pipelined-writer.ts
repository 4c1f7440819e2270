import type { Op } from '@conclave/protocol'
import { RawConnection } from './load/raw-connection.js'

/**
 * One session that keeps a window of writes in flight, as frames of the protocol: what a client
 * costs beside them is not what is measured.
 */
export class PipelinedWriter {
  readonly #connection: RawConnection
  #onFault: (error: Error) => void = () => undefined

  private constructor(connection: RawConnection) {
    this.#connection = connection
  }

  /** @param url of one server, as `conclave://127.0.0.1:7400` */
  static async open(url: string): Promise<PipelinedWriter> {
    let onFault: (error: Error) => void = () => undefined
    const connection = await RawConnection.open(new URL(url).host, (error) => onFault(error))
    const writer = new PipelinedWriter(connection)
    onFault = (error) => writer.#onFault(error)
    return writer
  }

  /** Sends every op that `ops` gives and resolves when the last is answered. @returns how many */
  write(ops: Iterator<Op>): Promise<number> {
    let [inFlight, answered, isOver] = [0, 0, false]
    return new Promise((resolve, reject) => {
      this.#onFault = reject
      const onThrottled = (): void => reject(new Error('a write was refused with throttled'))
      const fill = (): void => {
        while (!isOver && inFlight < window) {
          const { value: op, done } = ops.next()
          if (done === true) isOver = true
          else {
            inFlight += 1
            this.#connection.request(op, onAnswer, onThrottled)
          }
        }
        if (isOver && inFlight === 0) resolve(answered)
      }
      const onAnswer = (): void => {
        inFlight -= 1
        answered += 1
        fill()
      }
      fill()
    })
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

const window = 500
