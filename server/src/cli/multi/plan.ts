import { type CreateKindName, permissions } from '@conclave/client'
import { z } from 'zod'
import { UsageError } from '../usage-error.js'

/** A whole multi, as written: what guards it, what it asks, and the two lists it chooses from. */
export interface MultiPlan {
  readonly fences: readonly Placed<z.infer<typeof fenceSchema>>[]
  /** All must hold for `then` to run; otherwise `else` does. */
  readonly if: readonly Placed<MultiCondition>[]
  readonly then: readonly Placed<MultiStep>[]
  readonly else: readonly Placed<MultiStep>[]
}

/** A part, and where it stands in what was written, for errors: `line 3`. */
export interface Placed<T> {
  readonly part: T
  readonly place: string
}

/** One operation. `$0/state` in a path names what operation 0 of the same list made. */
export type MultiStep = z.infer<typeof stepSchema>
export type MultiCondition = z.infer<typeof conditionSchema>

/**
 * Reads JSON: an array of operations, or `{"fences", "if", "then", "else"}`.
 *
 * @throws UsageError that names the place
 */
export const parseJsonPlan = (text: string): MultiPlan => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`the multi is no JSON: ${(error as Error).message}`)
  }
  const said = Array.isArray(value) ? { then: value as unknown } : value
  const parsed = planSchema.safeParse(said)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const place = placeOf(issue?.path ?? [], Array.isArray(value))
    const fault = issue?.message.replace('Invalid input: ', '') ?? ''
    throw new UsageError(`${place === '' ? 'the multi' : place}: ${fault}`)
  }
  const placed = <T>(list: keyof MultiPlan, parts: readonly T[]): Placed<T>[] =>
    parts.map((part, i) => ({ part, place: placeOf([list, i], Array.isArray(value)) }))
  const { fences, if: conditions, then: whenTrue, else: otherwise } = parsed.data
  return {
    fences: placed('fences', fences),
    if: placed('if', conditions),
    then: placed('then', whenTrue),
    else: placed('else', otherwise),
  }
}

/** `"else", operation 2, path`. */
const placeOf = ([list, index, ...rest]: readonly PropertyKey[], isArray: boolean): string =>
  [
    list === undefined || isArray ? '' : `"${String(list)}"`,
    index === undefined ? '' : `${nouns.get(list) ?? 'operation'} ${Number(index) + 1}`,
    rest.map(String).join('.'),
  ]
    .filter((part) => part !== '')
    .join(', ')

const nouns: ReadonlyMap<unknown, string> = new Map([
  ['fences', 'fence'],
  ['if', 'condition'],
])

const path = z.string().min(1)
const version = z.int().nonnegative().optional()
const payload = {
  data: z.string().optional(),
  /** Bytes that are no text. */
  dataBase64: z.base64().optional(),
  /** The path that an earlier create made, as data. */
  dataRef: z.int().nonnegative().optional(),
}
const aclEntry = z.strictObject({
  scheme: z.enum(['world', 'auth', 'digest', 'ip']),
  id: z.string(),
  permissions: z.int().min(1).max(permissions.all),
})
const acl = z.array(z.union([z.string(), aclEntry]))
const kinds = [
  'persistent',
  'sequential',
  'ephemeral',
  'persistentSequential',
  'ephemeralSequential',
  'container',
  'ttl',
  'ttlSequential',
] as const satisfies readonly CreateKindName[]

const stepSchema = z.discriminatedUnion(
  'op',
  [
    z.strictObject({
      op: z.literal('create'),
      path,
      ...payload,
      kind: z.enum(kinds).optional(),
      ttlMs: z.int().positive().optional(),
      acl: acl.optional(),
    }),
    z.strictObject({ op: z.literal('set'), path, ...payload, version }),
    z.strictObject({ op: z.literal('delete'), path, version }),
    z.strictObject({ op: z.literal('check'), path, version }),
    z.strictObject({ op: z.literal('acl'), path, acl, version }),
  ],
  {
    error: ({ code }) =>
      code === 'invalid_union' ? 'op is one of create, set, delete, check, acl' : undefined,
  },
)

const fenceSchema = z.strictObject({ path, czxid: z.int().positive() })

const conditionSchema = z
  .strictObject({
    path,
    exists: z.boolean().optional(),
    version,
    data: payload.data,
    dataBase64: payload.dataBase64,
    czxid: z.int().positive().optional(),
    ephemeralOwner: z.int().nonnegative().optional(),
  })
  .refine((said) => Object.keys(said).length > 1, {
    error: 'say what must hold: exists, version, data, dataBase64, czxid or ephemeralOwner',
  })

const planSchema = z.strictObject(
  {
    fences: z.array(fenceSchema).default([]),
    if: z.array(conditionSchema).default([]),
    // oxlint-disable-next-line unicorn/no-thenable -- the word of the grammar; a list
    then: z.array(stepSchema).default([]),
    else: z.array(stepSchema).default([]),
  },
  {
    error: ({ code }) =>
      code === 'unrecognized_keys'
        ? undefined
        : 'write an array of operations, or {"if": [...], "then": [...], "else": [...]}',
  },
)
