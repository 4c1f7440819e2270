import { setFlagsFromString } from 'node:v8'

/**
 * For a process that is a server and nothing else. By itself V8 lets a heap grow to three and a
 * half times what lives in it before it looks what is dead; most of what lives here is history,
 * which dies as fast as it comes.
 */
export const keepHeapSmall = (): void => setFlagsFromString('--heap-growing-percent=30')
