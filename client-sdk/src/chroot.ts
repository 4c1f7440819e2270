import { joinPath, pathFault, sequentialPathFault } from '@conclave/protocol'
import { BadArgumentsError } from './errors.js'

/**
 * The part of the tree a client lives in: paths go in and come out relative to it. `..` is no valid
 * part of a path, so nothing outside can be named.
 */
export class Chroot {
  /** `/` means the whole tree. */
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** @throws BadArgumentsError when the path breaks the rules of paths */
  toServer(path: string): string {
    return this.#inside(path, pathFault)
  }

  /** For a sequential create, whose last part is a prefix and may be empty. */
  prefixToServer(path: string): string {
    return this.#inside(path, sequentialPathFault)
  }

  /** The path as the user knows it. */
  toClient(path: string): string {
    if (this.root === '/') return path
    return path === this.root ? '/' : path.slice(this.root.length)
  }

  /** A sentence of the server's, with its paths as the user knows them. */
  toClientText(text: string): string {
    return this.root === '/' ? text : text.replaceAll(`${this.root}/`, '/')
  }

  #inside(path: string, faultOf: (path: string) => string | null): string {
    if (typeof path !== 'string') throw new BadArgumentsError({ message: 'a path is a string' })
    const fault = faultOf(path)
    if (fault !== null) throw new BadArgumentsError({ message: fault, path })
    if (this.root === '/') return path
    return path === '/' ? this.root : joinPath(this.root, path.slice(1))
  }
}
