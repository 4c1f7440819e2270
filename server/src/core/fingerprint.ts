/**
 * The digest of a set of things, kept while they come and go: the sum of their fingerprints.
 * Two servers with the same state have the same sum whatever the order of the changes was.
 * Guards against faults, not against an adversary.
 */
export class Digest {
  #a = 0
  #b = 0

  add(fingerprint: Lanes): void {
    this.#a = (this.#a + fingerprint.a) | 0
    this.#b = (this.#b + fingerprint.b) | 0
  }

  remove(fingerprint: Lanes): void {
    this.#a = (this.#a - fingerprint.a) | 0
    this.#b = (this.#b - fingerprint.b) | 0
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return hex(this.#a) + hex(this.#b)
  }
}

/** What a digest is made of. */
export type Lanes = Pick<Fingerprint, 'a' | 'b'>

/** Two lanes of 32 bits, each a MurmurHash3 with a seed of its own (public domain, A. Appleby). */
export class Fingerprint {
  a: number
  b: number
  #length = 0

  constructor(kind: number) {
    this.a = 0x9747b28c ^ kind
    this.b = 0x3c6ef372 + kind
  }

  number(value: number): this {
    this.#word(value | 0)
    this.#word((value / 0x1_0000_0000) | 0)
    return this
  }

  text(value: string): this {
    for (let i = 0; i < value.length; i++) this.#word(value.charCodeAt(i))
    return this.number(value.length)
  }

  /** @param end where the bytes to take end, beginning at `start` */
  bytes(value: Uint8Array | null, start = 0, end = value?.length ?? 0): this {
    if (value === null) return this.number(-1)
    const whole = start + ((end - start) & ~3)
    for (let i = start; i < whole; i += 4) {
      this.#word(
        (value[i] as number) |
          ((value[i + 1] as number) << 8) |
          ((value[i + 2] as number) << 16) |
          ((value[i + 3] as number) << 24),
      )
    }
    for (let i = whole; i < end; i++) this.#word(value[i] as number)
    return this.number(end - start)
  }

  done(): this {
    this.a = finish(this.a ^ this.#length)
    this.b = finish(this.b ^ this.#length)
    return this
  }

  #word(word: number): void {
    const mixed = Math.imul(word, 0xcc9e2d51)
    const turned = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
    const a = this.a ^ turned
    this.a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0
    const b = this.b ^ Math.imul(turned, 0x2545f491)
    this.b = (Math.imul((b << 17) | (b >>> 15), 9) + 0x38495ab5) | 0
    this.#length += 1
  }
}

const finish = (value: number): number => {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) | 0
}

const hex = (lane: number): string => (lane >>> 0).toString(16).padStart(8, '0')
