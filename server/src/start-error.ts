export type StartErrorCode =
  | 'dataDirectory'
  | 'damage'
  | 'portInUse'
  | 'address'
  | 'permission'
  | 'insecure'
  | 'options'

/** A server cannot start; the message is one sentence that says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly code: StartErrorCode

  constructor(code: StartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Puts what the system or a room said into words for the one who started the server. */
export const listenError = (
  error: NodeJS.ErrnoException,
  { host, port }: { readonly host: string; readonly port: number },
): StartError => {
  const cause = { cause: error }
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(
        'portInUse',
        `port ${port} on ${host} is in use: stop what listens there, or choose another with ` +
          '--client-port.',
        cause,
      )
    case 'EACCES':
    case 'EPERM':
      return new StartError(
        'permission',
        `this user may not listen on port ${port}: choose one above 1023 with --client-port.`,
        cause,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartError(
        'address',
        `${host} is no address of this machine: give one with --host, or none for loopback.`,
        cause,
      )
    default:
      return new StartError('address', `cannot listen on ${host}:${port}: ${error.message}`, cause)
  }
}
