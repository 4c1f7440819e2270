import type { MembershipView } from '#client/recipes/index.js'
import { Violation } from '../violation.js'

/** G7: all who see a group see the same views, and each sees one after the other. */
export class AgreedViews {
  readonly #members = new Map<number, string>()
  readonly #changes = new Map<number, string>()

  /** @param before the epoch of the view that the same loop had before; null for its first one */
  saw(who: string, { epoch, members, changes }: MembershipView<unknown>, before: number | null) {
    if (before !== null && epoch !== before + 1) {
      throw new Violation('G7', `${who} sees view ${epoch} after ${before}`)
    }
    this.#agree(this.#members, epoch, `${who}: ${JSON.stringify([...members])}`)
    if (before !== null) this.#agree(this.#changes, epoch, `${who}: ${JSON.stringify(changes)}`)
  }

  #agree(known: Map<number, string>, epoch: number, said: string): void {
    const first = known.get(epoch)
    if (first === undefined) known.set(epoch, said)
    else if (wordsOf(first) !== wordsOf(said)) {
      throw new Violation('G7', `view ${epoch} is, to ${first}, and to ${said}`)
    }
  }
}

/** Without who said it. */
const wordsOf = (said: string): string => said.slice(said.indexOf(': '))
