import type { Command } from '../command.js'
import { acl } from './acl.js'
import { count } from './count.js'
import { create } from './create.js'
import { deleteZnode } from './delete.js'
import { get } from './get.js'
import { locks } from './locks.js'
import { ls } from './ls.js'
import { multi } from './multi.js'
import { set } from './set.js'
import { stat } from './stat.js'
import { sync } from './sync.js'
import { tree } from './tree.js'
import { watch } from './watch.js'
import { whoami } from './whoami.js'

/** Every command on the tree, for both front ends. */
export const commands: readonly Command[] = [
  ls,
  get,
  set,
  create,
  deleteZnode,
  stat,
  tree,
  count,
  watch,
  multi,
  locks,
  acl,
  sync,
  whoami,
]

/** @returns undefined when there is no such command */
export const commandNamed = (name: string): Command | undefined =>
  commands.find((row) => row.name === name || row.alias === name)
