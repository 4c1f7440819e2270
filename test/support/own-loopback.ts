/**
 * A loopback address of this process alone: a port of it stays free while the server that had it
 * is down, also from the ports that the system gives to outgoing connections.
 */
export const ownLoopback = (): string => {
  const { pid, platform } = process
  return platform === 'linux'
    ? `127.${(pid >> 16) & 255}.${(pid >> 8) & 255}.${pid & 255 || 1}`
    : '127.0.0.1'
}
