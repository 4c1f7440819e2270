import type {
  CreateKind,
  Failure,
  MultiOp,
  NameRef,
  Op,
  Stat,
  WriteOp,
  ZnodeKind,
} from '@conclave/protocol'
import type { SnapshotEntry, Txn } from '@conclave/protocol/peer'

/** What a client must have been told. */
export type ModelReply =
  | { readonly failure: Pick<Failure, 'code' | 'index'> }
  | { readonly failure: null; readonly result: unknown }

/**
 * The tree as the rules have it, written down a second time and in few words. It takes from the log
 * nothing but which write came when: what the write does, and what its client is to be told, it
 * makes out itself from the op that the client has sent.
 */
export class LogModel {
  readonly #znodes = new Map<string, Znode>([['/', rootZnode()]])
  /** Undoes what the parts of a multi did before the one that failed. */
  #undo: (() => void)[] = []

  /**
   * @param op what the client has sent; null for a txn of the system
   * @returns what the client is told; null when there is no client
   */
  apply(txn: Txn, op: WriteOp | null): ModelReply | null {
    const at: At = { zxid: txn.zxid, timeMs: txn.timeMs, sessionId: txn.sessionId }
    if (op === null) {
      if (txn.body.body === 'closeSession') this.#endSession(at, txn.body.closedSession)
      return null
    }
    this.#undo = []
    try {
      return { failure: null, result: this.#perform(at, op) }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      for (const undo of this.#undo.reverse()) undo()
      return { failure: { code: error.code, index: error.index } }
    }
  }

  /** For comparing with what a server has. */
  znodes(): ReadonlyMap<string, ModelZnode> {
    return new Map([...this.#znodes].map(([path, znode]) => [path, plain(znode)]))
  }

  /** The same of an entry of a server's snapshot. */
  static plainOf(entry: Extract<SnapshotEntry, { entry: 'znode' }>): ModelZnode {
    const { data, kind, czxid, mzxid, pzxid, ctime, mtime, version, aversion } = entry
    const { ephemeralOwner, childrenCreated } = entry
    const text = data === null ? '' : Buffer.from(data).toString('latin1')
    const stat = { czxid, mzxid, pzxid, ctime, mtime, version, aversion, ephemeralOwner }
    return { data: text, kind, ...stat, childrenCreated }
  }

  #perform(at: At, op: WriteOp): unknown {
    switch (op.op) {
      case 'create': {
        const path = this.#create(at, op.path, op)
        return { path, stat: this.#stat(path) }
      }
      case 'setData':
        this.#set(at, op.path, op)
        return { stat: this.#stat(op.path) }
      case 'delete':
        this.#delete(at, op.path, op.version)
        return {}
      case 'multi':
        return { branch: 'then', results: this.#multi(at, op) }
      case 'closeSession':
        this.#endSession(at, at.sessionId)
        return {}
      default:
        throw new Error(`the model knows no ${op.op}`)
    }
  }

  #multi(at: At, { fences, compares, then }: Op<'multi'>): unknown {
    if (fences.length + compares.length > 0) throw new Error('the model knows no conditions')
    const names: string[] = []
    return then.map((op, index) => {
      const name = (value: string | NameRef): string =>
        typeof value === 'string' ? value : `${names[value.index]}${value.suffix}`
      try {
        const { path, stat } = this.#part(at, op, name)
        names[index] = path ?? ''
        return { path, stat }
      } catch (error) {
        if (error instanceof Refusal) throw new Refusal(error.code, index)
        throw error
      }
    })
  }

  #part(
    at: At,
    op: MultiOp,
    name: (value: string | NameRef) => string,
  ): { readonly path: string | null; readonly stat: Stat | null } {
    const path = name(op.path)
    const dataOf = (data: Uint8Array | NameRef | null): Uint8Array | null =>
      data === null || data instanceof Uint8Array ? data : Buffer.from(name(data))
    switch (op.op) {
      case 'create': {
        const made = this.#create(at, path, { ...op, data: dataOf(op.data) })
        return { path: made, stat: this.#stat(made) }
      }
      case 'setData':
        this.#set(at, path, { version: op.version, data: dataOf(op.data) })
        return { path: null, stat: this.#stat(path) }
      case 'delete':
        this.#delete(at, path, op.version)
        return { path: null, stat: null }
      case 'check':
        checkVersion(this.#get(path), op.version)
        return { path: null, stat: null }
      default:
        throw new Error(`the model knows no ${op.op} in a multi`)
    }
  }

  #create(
    { zxid, timeMs, sessionId }: At,
    asked: string,
    { data, kind }: { readonly data: Uint8Array | null; readonly kind: CreateKind },
  ): string {
    const parentPath = parentOf(asked)
    const parent = this.#get(parentPath)
    const suffix = kind.endsWith('Sequential') ? `${parent.childrenCreated}`.padStart(10, '0') : ''
    const path = `${asked}${suffix}`
    if (this.#znodes.has(path)) throw new Refusal('nodeExists')
    if (parent.ephemeralOwner !== 0) throw new Refusal('noChildrenForEphemerals')
    const isEphemeral = kind.startsWith('ephemeral')
    this.#put(parentPath, { childrenCreated: parent.childrenCreated + 1 })
    this.#touchParent(parentPath, zxid, 1)
    this.#put(path, {
      ...rootZnode(),
      data: data ?? new Uint8Array(),
      kind: isEphemeral ? 'ephemeral' : 'persistent',
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctime: timeMs,
      mtime: timeMs,
      ephemeralOwner: isEphemeral ? sessionId : 0,
    })
    return path
  }

  #set(
    { zxid, timeMs }: At,
    path: string,
    { version, data }: { readonly version: number; readonly data: Uint8Array | null },
  ): void {
    const znode = this.#get(path)
    checkVersion(znode, version)
    const change = { data: data ?? new Uint8Array(), version: znode.version + 1 }
    this.#put(path, { ...change, mzxid: zxid, mtime: timeMs })
  }

  #delete({ zxid }: At, path: string, version: number): void {
    const parentPath = parentOf(path)
    this.#get(parentPath)
    const znode = this.#get(path)
    checkVersion(znode, version)
    if (znode.numChildren > 0) throw new Refusal('notEmpty')
    this.#touchParent(parentPath, zxid, -1)
    this.#remove(path)
  }

  #endSession(at: At, sessionId: number): void {
    for (const [path, { ephemeralOwner }] of this.#znodes) {
      if (ephemeralOwner === sessionId) this.#delete(at, path, -1)
    }
  }

  #touchParent(path: string, pzxid: number, children: 1 | -1): void {
    const { cversion, numChildren } = this.#get(path)
    this.#put(path, { pzxid, cversion: cversion + 1, numChildren: numChildren + children })
  }

  #get(path: string): Znode {
    const znode = this.#znodes.get(path)
    if (znode === undefined) throw new Refusal('noNode')
    return znode
  }

  #put(path: string, change: Partial<Znode>): void {
    const before = this.#znodes.get(path)
    this.#undo.push(() => {
      if (before === undefined) this.#znodes.delete(path)
      else this.#znodes.set(path, before)
    })
    this.#znodes.set(path, { ...(before ?? rootZnode()), ...change })
  }

  #remove(path: string): void {
    const before = this.#get(path)
    this.#undo.push(() => this.#znodes.set(path, before))
    this.#znodes.delete(path)
  }

  #stat(path: string): Stat {
    const { data, childrenCreated, ...stat } = this.#get(path)
    void childrenCreated
    return { ...stat, dataLength: data.length, ttlMs: 0 } as Stat
  }
}

export interface ModelZnode {
  readonly data: string
  readonly kind: ZnodeKind
  readonly czxid: number
  readonly mzxid: number
  readonly pzxid: number
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly aversion: number
  readonly ephemeralOwner: number
  readonly childrenCreated: number
}

interface Znode extends Omit<ModelZnode, 'data'> {
  readonly data: Uint8Array
  readonly cversion: number
  readonly numChildren: number
}

interface At {
  readonly zxid: number
  readonly timeMs: number
  readonly sessionId: number
}

class Refusal extends Error {
  readonly code: Failure['code']
  readonly index: number | null

  constructor(code: Failure['code'], index: number | null = null) {
    super(code)
    this.code = code
    this.index = index
  }
}

const rootZnode = (): Znode => ({
  data: new Uint8Array(),
  kind: 'persistent',
  czxid: 0,
  mzxid: 0,
  pzxid: 0,
  ctime: 0,
  mtime: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0,
  numChildren: 0,
  childrenCreated: 0,
})

const plain = ({ data, cversion, numChildren, ...znode }: Znode): ModelZnode => {
  // What follows from the others is not compared.
  void [cversion, numChildren]
  return { ...znode, data: Buffer.from(data).toString('latin1') }
}

const checkVersion = (znode: Znode, version: number): void => {
  if (version !== -1 && version !== znode.version) throw new Refusal('badVersion')
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'
