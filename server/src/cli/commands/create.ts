import { type CreateKindName, NodeExistsError } from '@conclave/client'
import { type CommandContext, commandRow, dataOf } from '../command.js'
import { parseAcl } from '../output/acl.js'
import { escapeText } from '../output/escape.js'
import { statJson } from '../output/znode-json.js'
import { duration } from '../parse-options.js'
import { UsageError } from '../usage-error.js'

export interface CreateFlags {
  readonly ephemeral?: true
  readonly sequential?: true
  readonly container?: true
  readonly ttl?: number
  readonly acl?: readonly string[]
  readonly file?: string
}

interface CreateCommandFlags extends CreateFlags {
  readonly parents?: true
}

export const create = commandRow({
  name: 'create',
  summary: 'create a znode and print its path',
  parameters: [
    {
      syntax: '<path>',
      help: 'of the new znode; with -s what its number is added to',
      isPath: true,
    },
    { syntax: '[data]', help: 'its data; - reads it from the standard input' },
  ],
  options: [
    { flags: '-e, --ephemeral', help: 'it lives as long as the session that creates it' },
    { flags: '-s, --sequential', help: 'the server adds a number that only rises' },
    { flags: '-c, --container', help: 'the server deletes it after its last child' },
    {
      flags: '--ttl <time>',
      help: 'the server deletes it when childless and unchanged for so long, such as 90s',
      parse: duration('--ttl'),
    },
    { flags: '-p, --parents', help: 'create the missing znodes above it too' },
    {
      flags: '--acl <entry>',
      help: 'who may do what, such as world:anyone:r; once for each entry',
      isRepeated: true,
    },
    { flags: '-f, --file <file>', help: 'read the data from a file; - is the standard input' },
  ],
  examples: [
    'create /config \'{"shards":16}\'',
    'create -e -s /locks/l- hello',
    'create --ttl 5m /cache/a -- -5',
  ],
  advice: { noNode: 'create its parent first, or add -p' },

  async *run(context, [word = '', data], options: CreateCommandFlags) {
    const path = context.path(word, { isPrefix: options.sequential === true })
    const bytes = await dataOf(context, data, options.file)
    if (options.parents === true) await createParents(context, path)
    const created = await context.client.create(path, bytes, {
      ...createOptions(options),
      ...context.wait,
      withStat: true,
    })
    if (options.ephemeral === true && context.endsSession) {
      context.note(
        `${created.path} vanishes now: an ephemeral lives as long as its session, which ends ` +
          'with this command; use "conclave shell" to keep one',
      )
    }
    yield created
  },
  show: ({ path }, { style }) => style.path(escapeText(path)),
  toJson: ({ path, stat }) => ({ path, ...statJson(stat) }),
})

/** The kind of znode that the flags name. */
export const createOptions = (flags: CreateFlags) => {
  const { ttl, acl } = flags
  return {
    kind: kindOf(flags),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
    ...(acl === undefined ? {} : { acl: parseAcl(acl) }),
  }
}

const kindOf = ({ ephemeral, sequential, container, ttl }: CreateFlags): CreateKindName => {
  const named = [ephemeral === true, container === true, ttl !== undefined].filter(Boolean).length
  if (named > 1) throw new UsageError('only one of --ephemeral, --container and --ttl can be meant')
  if (container === true && sequential === true) {
    throw new UsageError('a container cannot be sequential')
  }
  if (ephemeral === true) return sequential === true ? 'ephemeralSequential' : 'ephemeral'
  if (ttl !== undefined) return sequential === true ? 'ttlSequential' : 'ttl'
  if (container === true) return 'container'
  return sequential === true ? 'persistentSequential' : 'persistent'
}

const createParents = async ({ client, wait }: CommandContext, path: string): Promise<void> => {
  const parents: string[] = []
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    parents.push(path.slice(0, at))
  }
  // From below upwards: most often the parent is there, and one question is enough.
  let missing = 0
  while (
    missing < parents.length &&
    (await client.exists(parents[missing] ?? '/', wait)) === null
  ) {
    missing += 1
  }
  for (const parent of parents.slice(0, missing).toReversed()) {
    try {
      await client.create(parent, null, wait)
    } catch (error) {
      if (!(error instanceof NodeExistsError)) throw error
    }
  }
}
