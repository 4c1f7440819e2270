import type { Client } from '#client/index.js'
import type { Dice } from '../fuzz/dice.js'

/**
 * Writes at random, all of which succeed, in a subtree that nobody else writes in: the calls of one
 * client take effect in their order, so it knows what is there.
 */
export class TreeWriter {
  readonly #client: Client
  readonly #dice: Dice
  readonly #root: string
  /** By path, how many children it has. */
  readonly #znodes: Map<string, { children: number; readonly isEphemeral: boolean }>
  #count = 0

  /** @param root exists already, and is empty */
  constructor(client: Client, dice: Dice, root: string) {
    this.#client = client
    this.#dice = dice
    this.#root = root
    this.#znodes = new Map([[root, { children: 0, isEphemeral: false }]])
  }

  /** One committed write. */
  write(): Promise<unknown> {
    const roll = this.#dice.below(100)
    if (roll < 40 && this.#znodes.size < 500) return this.#create()
    if (roll < 60) return this.#client.set(this.#any(), this.#dice.bytes(this.#dice.below(200)))
    if (roll < 65) return this.#client.set('/elsewhere', null)
    if (roll < 75) return this.#replaceAll()
    return this.#delete()
  }

  #any(): string {
    return this.#dice.pick([...this.#znodes.keys()])
  }

  #create(): Promise<unknown> {
    let parent = this.#any()
    if (this.#znodes.get(parent)?.isEphemeral === true || parent.length > 60) parent = this.#root
    const isEphemeral = this.#dice.once(5)
    const path = `${parent}/${++this.#count}`
    this.#add(path, isEphemeral)
    const kind = isEphemeral ? 'ephemeral' : 'persistent'
    return this.#client.create(path, this.#dice.bytes(this.#dice.below(100)), { kind })
  }

  #delete(): Promise<unknown> {
    const path = this.#leaf()
    if (path === null) return this.#create()
    this.#remove(path)
    return this.#client.delete(path)
  }

  /** Several changes of one znode under one zxid. */
  #replaceAll(): Promise<unknown> {
    const path = this.#leaf()
    if (path === null) return this.#create()
    this.#remove(path)
    this.#add(path, false)
    const data = this.#dice.bytes(20)
    return this.#client
      .transaction()
      .set(path, data)
      .delete(path)
      .create(path, data)
      .set(this.#root, data)
      .set(path, null)
      .commit()
  }

  #leaf(): string | null {
    const leaves = [...this.#znodes].flatMap(([path, { children }]) =>
      children === 0 && path !== this.#root ? [path] : [],
    )
    return leaves.length === 0 ? null : this.#dice.pick(leaves)
  }

  #add(path: string, isEphemeral: boolean): void {
    this.#znodes.set(path, { children: 0, isEphemeral })
    this.#parent(path).children += 1
  }

  #remove(path: string): void {
    this.#znodes.delete(path)
    this.#parent(path).children -= 1
  }

  #parent(path: string): { children: number } {
    return this.#znodes.get(path.slice(0, path.lastIndexOf('/'))) ?? { children: 0 }
  }
}
