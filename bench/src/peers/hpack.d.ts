declare module 'hpack.js' {
  interface Decompressor {
    write(block: Uint8Array): void
    /** Decodes what was written. */
    execute(): void
    read(): { readonly name: string; readonly value: string } | null
  }
  const hpack: {
    readonly decompressor: {
      create(options: { readonly table: { readonly maxSize: number } }): Decompressor
    }
  }
  export = hpack
}
