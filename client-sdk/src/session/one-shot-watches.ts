import { limits, type OpArguments, type WatchKind, type Zxid } from '@conclave/protocol'
import { bounds } from './bounds.js'
import { sizeBound } from './op-size.js'

/** How a one-shot watch was set: it decides what counts as a change while nobody was attached. */
type WatchFlavour = 'data' | 'exists' | 'child'

/**
 * The one-shot watches that are set. The server knows one for each path and kind; here are all who
 * wait for it, and each is told once.
 */
export class OneShotWatches<Token> {
  readonly #byKind: Readonly<Record<WatchKind, Map<string, Registration<Token>>>> = {
    data: new Map(),
    child: new Map(),
  }

  register(path: string, flavour: WatchFlavour, token: Token): void {
    const paths = this.#byKind[kindOf(flavour)]
    const known = paths.get(path)
    if (known === undefined) paths.set(path, { flavour, tokens: [token] })
    else {
      // The latest answer knows best whether the znode exists.
      known.flavour = flavour
      known.tokens.push(token)
    }
  }

  /** @returns who waited for it; they wait no more */
  take(path: string, kind: WatchKind): readonly Token[] {
    const tokens = this.#byKind[kind].get(path)?.tokens ?? []
    this.#byKind[kind].delete(path)
    return tokens
  }

  takeAll(): readonly Token[] {
    const tokens: Token[] = []
    for (const paths of Object.values(this.#byKind)) {
      for (const registration of paths.values()) tokens.push(...registration.tokens)
      paths.clear()
    }
    return tokens
  }

  /** What sets all of them again, in pieces that keep to the limits. */
  rearm(fromZxid: Zxid): readonly OpArguments<'rearmWatches'>[] {
    const pieces: OpArguments<'rearmWatches'>[] = []
    let piece = emptyPiece()
    let count = 0
    let bytes = 0
    const flush = (): void => {
      if (count > 0) pieces.push({ fromZxid, ...piece })
      piece = emptyPiece()
      count = 0
      bytes = 0
    }
    for (const paths of Object.values(this.#byKind)) {
      for (const [path, { flavour }] of paths) {
        const size = sizeBound(path)
        if (count >= limits.rearmPathsMax || bytes + size > bounds.rearmBytesMax) flush()
        piece[flavour].push(path)
        count += 1
        bytes += size
      }
    }
    flush()
    return pieces
  }
}

interface Registration<Token> {
  flavour: WatchFlavour
  readonly tokens: Token[]
}

const kindOf = (flavour: WatchFlavour): WatchKind => (flavour === 'child' ? 'child' : 'data')

const emptyPiece = (): Record<WatchFlavour, string[]> => ({ data: [], exists: [], child: [] })
