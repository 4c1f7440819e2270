import type { ChangeEvent, ReadOptions, WaitOptions } from '@conclave/client'
import type { CommandOption } from './command.js'

export interface ReadFlags {
  readonly linearizable?: true
}

export const linearizableOption: CommandOption = {
  flags: '-L, --linearizable',
  help: 'see every write that anybody was told of before',
}

export interface WatchFlags extends ReadFlags {
  readonly watch?: true
}

export const watchOption: CommandOption = {
  flags: '-w, --watch',
  help: 'then wait for the first change, and tell of it',
}

export const readOptions = (flags: ReadFlags, wait: WaitOptions): ReadOptions =>
  flags.linearizable === true ? { ...wait, consistency: 'linearizable' } : wait

/** Waits for a one-shot watch, but no longer than until the signal. */
export const changeOf = (
  changed: Promise<ChangeEvent>,
  { signal }: WaitOptions,
): Promise<ChangeEvent> => {
  if (signal === undefined) return changed
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    changed.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
