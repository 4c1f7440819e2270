interface Page {
  readonly cursor: Uint8Array | null
}

/** Asks page by page, each from where the last one ended; nothing more once the loop is left. */
export async function* pages<P extends Page>(
  ask: (cursor: Uint8Array | null) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  let cursor: Uint8Array | null = null
  do {
    const page = await ask(cursor)
    yield page
    cursor = page.cursor
  } while (cursor !== null)
}
