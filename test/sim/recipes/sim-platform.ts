import type { ServerId } from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import type { Connection, ConnectionEvents, Platform } from '#client/transport/transport.js'
import type { Ensemble } from '../ensemble.js'
import type { Random } from '../random.js'
import type { Schedule } from '../schedule.js'
import type { SimClock } from '../sim-clock.js'
import type { SimProcess } from './sim-process.js'

/** What a simulated process stands on. */
export interface Ground {
  readonly place: string
  readonly process: SimProcess
  readonly clock: SimClock
  readonly schedule: Schedule
  readonly random: Random
  readonly ensemble: Ensemble
}

/** The place for the SDK's clients in a simulated process: its clock, its dice, its network. */
export const simPlatform = (ground: Ground): Platform => {
  const { process, clock, schedule, random } = ground
  return {
    nowMs: () => clock.nowMs,
    randomBytes: (count) => Uint8Array.from({ length: count }, () => random.below(256)),
    timer(afterMs, run) {
      let isOn = true
      const ring = (): void => {
        if (isOn) run()
      }
      schedule.after(clock.worldMs(afterMs), () => process.enter(ring))
      return () => {
        isOn = false
      }
    },
    defer: (run) => schedule.after(0, () => process.enter(run)),
    transport: { open: (server, events) => open(ground, server, events) },
  }
}

/** Of all servers, as {@link simPlatform} finds them. */
export const simUrl = ({ servers }: Ensemble): string =>
  `conclave://${servers.map(({ id }) => `server-${id}:7400`).join(',')}`

const open = (ground: Ground, server: string, events: ConnectionEvents): Connection => {
  const { place, process, schedule, ensemble } = ground
  const id = Number(/^server-(\d+):/.exec(server)?.[1]) as ServerId
  let isOver = false
  const hear = (event: () => void): void =>
    process.enter(() => {
      if (!isOver) event()
    })
  const lost = (): void =>
    hear(() => {
      isOver = true
      events.lost('the connection was lost')
    })
  const to = ensemble.connectClient(place, id, {
    opened: () => hear(() => events.opened()),
    frames: (frames) => hear(() => events.message(serverMessages.encode(frames))),
    lost,
  })
  if (to === null) schedule.after(ensemble.network.delayMs(), lost)
  return {
    send: (message) => to?.send(clientMessages.decode(message)),
    close() {
      isOver = true
      to?.close()
    },
  }
}
