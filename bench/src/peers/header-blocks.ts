import hpack from 'hpack.js'

/**
 * The header blocks of gRPC calls (RFC 7541). What is alike in each call enters the server's
 * dynamic table with the first one and is an index from then on, as clients in production do it.
 */
export class RequestHeaders {
  readonly #authority: string
  readonly #known: string[] = []
  readonly #blocks = new Map<string, { readonly block: Buffer; readonly known: number }>()

  constructor(authority: string) {
    this.#authority = authority
  }

  /** @param path such as `/etcdserverpb.KV/Put` */
  block(path: string): Buffer {
    const before = this.#known.length
    const made = this.#blocks.get(path)
    if (made?.known === before) return made.block
    const block = Buffer.concat([
      Buffer.from([indexed | staticIndex.methodPost, indexed | staticIndex.schemeHttp]),
      this.#field(':path', path),
      this.#field(':authority', this.#authority),
      this.#field('content-type', 'application/grpc'),
      this.#field('te', 'trailers'),
    ])
    // One that enters something into the table may be sent only once.
    if (this.#known.length === before) this.#blocks.set(path, { block, known: before })
    return block
  }

  #field(name: string, value: string): Buffer {
    const entry = `${name} ${value}`
    const place = this.#known.indexOf(entry)
    // The newest entry has the lowest index.
    if (place !== -1) {
      return Buffer.from([indexed | (staticEntries + this.#known.length - place)])
    }
    this.#known.push(entry)
    return Buffer.concat([Buffer.from([literalIndexed]), text(name), text(value)])
  }
}

/**
 * What the server's header blocks say of a call. It was told to keep no dynamic table, so a block
 * means the same wherever it comes, and each one is decoded once.
 */
export class ResponseHeaders {
  readonly #statuses = new Map<string, GrpcStatus | null>()

  /** @returns how the call ended; null when it goes on */
  status(block: Buffer): GrpcStatus | null {
    const key = block.toString('latin1')
    const known = this.#statuses.get(key)
    if (known !== undefined) return known
    const status = decode(block)
    if (this.#statuses.size < statusesMax) this.#statuses.set(key, status)
    return status
  }
}

export interface GrpcStatus {
  /** 0 is success. */
  readonly code: number
  readonly message: string
}

const decode = (block: Buffer): GrpcStatus | null => {
  const decompressor = hpack.decompressor.create({ table: { maxSize: tableBytes } })
  decompressor.write(block)
  decompressor.execute()
  const headers = new Map<string, string>()
  for (let header = decompressor.read(); header !== null; header = decompressor.read()) {
    headers.set(header.name, header.value)
  }
  const code = headers.get('grpc-status')
  const httpStatus = headers.get(':status')
  if (httpStatus !== undefined && httpStatus !== '200') {
    return { code: Number(httpStatus), message: 'HTTP status' }
  }
  return code === undefined
    ? null
    : { code: Number(code), message: headers.get('grpc-message') ?? '' }
}

const text = (value: string): Buffer => Buffer.from([value.length, ...Buffer.from(value, 'latin1')])

const indexed = 0x80
const literalIndexed = 0x40
const staticIndex = { methodPost: 3, schemeHttp: 6 }
const staticEntries = 61
const tableBytes = 4_096
const statusesMax = 1_000
