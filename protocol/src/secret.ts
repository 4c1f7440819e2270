/**
 * A text that must not show up in logs: printed, serialised or inspected it is `***`.
 *
 * @example
 * const password = new Secret(process.env.ORDERS_PASSWORD ?? '')
 * console.log({ password })   // { password: *** }
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. The danger: from here on nothing hides it. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  /** What `console.log` and `util.inspect` of Node show. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***'
  }
}
