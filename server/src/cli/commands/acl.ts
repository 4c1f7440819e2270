import { type Acl, openAcl } from '@conclave/client'
import { commandRow } from '../command.js'
import { aclEntryText, parseAcl } from '../output/acl.js'
import { linearizableOption, type ReadFlags, readOptions } from '../read-options.js'
import { UsageError } from '../usage-error.js'
import { versionOption, type VersionFlags } from '../version-option.js'

interface Shown {
  readonly path: string
  readonly acl: Acl
  readonly aversion: number
}

export const acl = commandRow({
  name: 'acl',
  summary: 'print who may do what with a znode, or replace that',
  parameters: [
    { syntax: '<path>', help: 'of the znode', isPath: true },
    {
      syntax: '[entry...]',
      help: 'the new ACL: scheme:id:letters of (r)ead, (w)rite, (c)reate, (d)elete, (a)dmin',
    },
  ],
  options: [versionOption('acl version'), linearizableOption],
  examples: [
    'acl /config',
    'acl /config world:anyone:r auth::rwcda',
    'acl /config ip:10.0.0.0/8:r world:anyone:r -v 0',
  ],

  async *run(context, [word = '', ...entries], options: VersionFlags & ReadFlags) {
    const path = context.path(word)
    if (entries.length === 0) {
      if (options.ifVersion !== undefined) throw new UsageError('--if-version is for a new ACL')
      const found = await context.client.getAcl(path, readOptions(options, context.wait))
      yield { path, acl: found.acl, aversion: found.stat.aversion, isNew: false }
      return
    }
    const wanted = parseAcl(entries)
    const version = options.ifVersion
    const { aversion } = await context.client.setAcl(path, wanted, { version, ...context.wait })
    yield { path, acl: wanted, aversion, isNew: true }
  },
  show({ acl: entries, aversion, isNew }: Shown & { readonly isNew: boolean }, { style }) {
    if (isNew) return style.dim(`acl version ${aversion}`)
    return (entries.length === 0 ? openAcl : entries).map(aclEntryText).join('\n')
  },
  toJson: ({ path, acl: entries, aversion }) => ({ path, acl: entries, aversion }),
})
