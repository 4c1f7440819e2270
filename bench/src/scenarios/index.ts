import type { Scenario } from '../scenario.js'
import { catchUp } from './catch-up.js'
import { curves } from './curves.js'
import { failOver } from './fail-over.js'
import { millionZnodes } from './million-znodes.js'
import { overload } from './overload.js'
import { read } from './read.js'
import { memory } from './memory.js'
import { recipes } from './recipes.js'
import { recovery } from './recovery.js'
import { watch } from './watch.js'
import { write } from './write.js'

/** In the order in which they are run. */
export const scenarios: readonly Scenario[] = [
  write,
  read,
  watch,
  recovery,
  memory,
  curves,
  overload,
  recipes,
  millionZnodes,
  failOver,
  catchUp,
]
