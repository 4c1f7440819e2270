import { Violation } from '../violation.js'

/**
 * G9: nobody is given a number that was given already, or one that is not above all that were given
 * before it was asked for.
 */
export class GivenNumbers {
  readonly #given = new Set<number>()
  #highest = -1

  get highest(): number {
    return this.#highest
  }

  /** @param floor what was the highest when it was asked for */
  given(who: string, number: number, floor: number): void {
    if (this.#given.has(number)) throw new Violation('G9', `${who} is given ${number} again`)
    this.#given.add(number)
    if (number <= floor) throw new Violation('G9', `${who} is given ${number}, after ${floor}`)
    this.#highest = Math.max(this.#highest, number)
  }
}
