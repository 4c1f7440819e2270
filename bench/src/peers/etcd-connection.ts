import type { Done, LoadConnection, OnFault, OpenConnection } from '../load/connection.js'
import { GrpcClient } from './grpc-client.js'
import { bytesField, type FieldValue, fieldOf, message, varintField } from './protobuf.js'

export const openEtcd: OpenConnection = async (address, onFault) =>
  new EtcdConnection(await GrpcClient.open(address, onFault), onFault)

/** Keys and values of etcd 3. Its calls on one connection are answered in any order. */
class EtcdConnection implements LoadConnection {
  readonly #client: GrpcClient
  readonly #onFault: OnFault

  constructor(client: GrpcClient, onFault: OnFault) {
    this.#client = client
    this.#onFault = onFault
  }

  /**
   * A put, which does not look whether there is one already: with the Txn that does, etcd 3.4 was a
   * tenth as fast, so this is the better chance for it.
   */
  create(path: string, value: Buffer, done: Done): void {
    this.set(path, value, done)
  }

  set(path: string, value: Buffer, done: Done): void {
    this.#ask('/etcdserverpb.KV/Put', putOf(Buffer.from(path, 'latin1'), value), (answer) =>
      done(revisionOf(answer)),
    )
  }

  get(path: string, isLinearizable: boolean, done: Done): void {
    const key = bytesField(rangeRequest.key, Buffer.from(path, 'latin1'))
    const range = isLinearizable ? key : message(key, varintField(rangeRequest.serializable, 1))
    this.#ask('/etcdserverpb.KV/Range', range, (answer) => {
      const found = fieldOf(answer, whole(answer), rangeResponse.kvs)
      const value = found === null ? null : fieldOf(answer, found, keyValue.value)
      if (found !== null && value !== null && value.number > 0) {
        done((fieldOf(answer, found, keyValue.modRevision) as FieldValue).number)
      } else this.#onFault(new Error(`${path} was read without data`))
    })
  }

  watch(path: string, onEvent: () => void): Promise<void> {
    const create = bytesField(watchCreate.key, Buffer.from(path, 'latin1'))
    return new Promise((resolve) => {
      const request = bytesField(watchRequest.create, create)
      this.#client.call('/etcdserverpb.Watch/Watch', request, false, {
        onMessage: (answer) => {
          if (fieldOf(answer, whole(answer), watchResponse.created)?.number === 1) resolve()
          if (fieldOf(answer, whole(answer), watchResponse.events) !== null) onEvent()
        },
        onEnd: () => this.#onFault(new Error(`the watch of ${path} was ended`)),
      })
    })
  }

  ping(): void {
    this.#onFault(new Error('etcd has no sessions to be kept alive by pings'))
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  #ask(path: string, request: Buffer, onAnswer: (answer: Buffer) => void): void {
    let answer: Buffer | null = null
    this.#client.call(path, request, true, {
      onMessage(came) {
        answer = came
      },
      // Only the status at the end says that it was done.
      onEnd: () => {
        if (answer === null) this.#onFault(new Error(`${path} was answered with nothing`))
        else onAnswer(answer)
      },
    })
  }
}

const putOf = (key: Buffer, value: Buffer): Buffer =>
  message(bytesField(putRequest.key, key), bytesField(putRequest.value, value))

const whole = (answer: Buffer) => ({ from: 0, to: answer.length })

const revisionOf = (answer: Buffer): number => {
  const header = fieldOf(answer, whole(answer), responseHeader) as FieldValue
  return (fieldOf(answer, header, headerRevision) as FieldValue).number
}

// Field numbers of etcd's rpc.proto and kv.proto.
const responseHeader = 1
const headerRevision = 3
const putRequest = { key: 1, value: 2 }
const rangeRequest = { key: 1, serializable: 7 }
const rangeResponse = { kvs: 2 }
const keyValue = { modRevision: 3, value: 5 }
const watchRequest = { create: 1 }
const watchCreate = { key: 1 }
const watchResponse = { created: 3, events: 11 }
