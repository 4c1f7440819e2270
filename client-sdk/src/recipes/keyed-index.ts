/** Which paths have which keys. */
export class KeyedIndex {
  readonly #pathsByKey = new Map<string, Set<string>>()
  /** As they were when the path was put: a function of keys may say something else later. */
  readonly #keysByPath = new Map<string, readonly string[]>()

  put(path: string, keys: readonly string[]): void {
    this.delete(path)
    if (keys.length === 0) return
    this.#keysByPath.set(path, keys)
    for (const key of keys) {
      const paths = this.#pathsByKey.get(key)
      if (paths === undefined) this.#pathsByKey.set(key, new Set([path]))
      else paths.add(path)
    }
  }

  delete(path: string): void {
    for (const key of this.#keysByPath.get(path) ?? []) {
      const paths = this.#pathsByKey.get(key)
      paths?.delete(path)
      if (paths?.size === 0) this.#pathsByKey.delete(key)
    }
    this.#keysByPath.delete(path)
  }

  keys(): IterableIterator<string> {
    return this.#pathsByKey.keys()
  }

  pathsOf(key: string): Iterable<string> {
    return this.#pathsByKey.get(key) ?? []
  }
}
