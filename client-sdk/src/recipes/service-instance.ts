import {
  anything,
  type Check,
  checked,
  type Checks,
  isBoolean,
  isText,
  wholeNumber,
} from '../checked.js'
import type { Codec } from '../codecs.js'
import { BadArgumentsError } from '../errors.js'
import { encodeRecord, nameOf } from './znodes.js'

/** What an instance of a service says of itself; what it leaves out has the default. */
export interface ServiceInstanceOptions<M> {
  /** Which one of the service it is: of two with one id the later registration counts. */
  readonly id: string
  /** Where it is reached, such as `10.0.0.5:9000`. */
  readonly address: string
  /** Where it runs; in none by default. */
  readonly zone?: string | null | undefined
  /** How much it takes beside the others, 0 (nothing) to 1,000,000; 1 by default. */
  readonly weight?: number | undefined
  /** Whether it is to be given anything; true by default. */
  readonly healthy?: boolean | undefined
  /** Whatever else there is to know of it; with the rest at most 16,000 bytes of JSON. */
  readonly metadata?: M | undefined
}

/** An instance of a service as the others see it. */
export interface ServiceInstance<M> {
  readonly id: string
  readonly address: string
  readonly zone: string | null
  readonly weight: number
  readonly healthy: boolean
  /** What it said, not checked. */
  readonly metadata: M
}

const isTextOrNull: Check = {
  fits: (value) => value === null || isText.fits(value),
  says: 'a text, or null',
}
const instanceChecks: Checks<ServiceInstanceOptions<unknown>> = {
  id: isText,
  address: isText,
  zone: isTextOrNull,
  weight: wholeNumber(0, 1_000_000),
  healthy: isBoolean,
  metadata: anything,
}

/** @throws BadArgumentsError */
export const instanceOf = <M>(options: ServiceInstanceOptions<M>): ServiceInstance<M> => {
  const checks: Checks<ServiceInstanceOptions<M>> = instanceChecks
  const given = checked(options, checks, 'field of an instance')
  const { address, zone = null, weight = 1, healthy = true, metadata } = given
  const id = nameOf(given.id, 'the id of an instance')
  if (address === undefined) throw new BadArgumentsError({ message: 'an instance has an address' })
  return Object.freeze({ id, address, zone, weight, healthy, metadata: (metadata ?? null) as M })
}

/** What a znode of an instance holds; one that holds anything else is none. */
export const instanceCodec = <M>(): Codec<ServiceInstance<M>> => ({
  encode: encodeRecord,
  decode: (data) =>
    instanceOf(JSON.parse(new TextDecoder().decode(data)) as ServiceInstanceOptions<M>),
})
