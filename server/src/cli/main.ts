import { connect } from '@conclave/client'
import type { Host } from './host.js'
import { exitCodes } from './exit-code.js'
import { runProgram } from './program.js'

const host: Host = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  connect,
  onSignal(listener) {
    const onInterrupt = (): void => listener('SIGINT')
    const onTerminate = (): void => listener('SIGTERM')
    process.on('SIGINT', onInterrupt)
    process.on('SIGTERM', onTerminate)
    return () => {
      process.off('SIGINT', onInterrupt)
      process.off('SIGTERM', onTerminate)
    }
  },
  exit: (code) => process.exit(code),
}

// Whoever reads the output has gone: there is nobody to tell anything any more.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.brokenPipe.code)
    throw error
  })
}

// The process ends by itself once what was printed has been written.
process.exitCode = await runProgram(process.argv.slice(2), host)
// Standard input may still be open, and nobody reads it any more.
process.stdin.unref?.()
