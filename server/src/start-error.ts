export type StartErrorCode =
  | 'dataDirectory'
  | 'damage'
  | 'portInUse'
  | 'address'
  | 'permission'
  | 'insecure'
  | 'options'

/** The options that may have to be another, or have to be given, for a server to start. */
export type StartErrorOption = 'data' | 'host' | ListenerPort | 'insecure' | 'serverId'

/** The ports of the three listeners. */
export type ListenerPort = 'clientPort' | 'peerPort' | 'adminPort'

/** A server cannot start; the message is one sentence that says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly code: StartErrorCode
  /** The option to do it with, if there is one. */
  readonly option: StartErrorOption | null

  constructor(
    code: StartErrorCode,
    message: string,
    options: ErrorOptions & { readonly option?: StartErrorOption } = {},
  ) {
    super(message, options)
    this.code = code
    this.option = options.option ?? null
  }
}

/** Puts what the system or a room said into words for the one who started the server. */
export const listenError = (
  error: NodeJS.ErrnoException,
  { host, port }: { readonly host: string; readonly port: number },
  option: ListenerPort,
): StartError => {
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(
        'portInUse',
        `port ${port} on ${host} is in use: stop what listens there, or choose another.`,
        { cause: error, option },
      )
    case 'EACCES':
    case 'EPERM':
      return new StartError(
        'permission',
        `this user may not listen on port ${port}: choose one above 1023.`,
        { cause: error, option },
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartError(
        'address',
        `${host} is no address of this machine: give one that is, or none for loopback.`,
        { cause: error, option: 'host' },
      )
    default:
      return new StartError('address', `cannot listen on ${host}:${port}: ${error.message}`, {
        cause: error,
      })
  }
}
