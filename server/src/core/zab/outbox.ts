import type { ServerId } from '@conclave/protocol'
import type { PeerFrame } from '@conclave/protocol/peer'
import type { SendPeer } from '../effect.js'
import type { LinkId } from '../input.js'

/** The open links to other servers, at most one each, and what waits to be sent on them. */
export class Outbox {
  readonly #links = new Map<ServerId, { readonly link: LinkId; frames: PeerFrame[] }>()

  opened(peer: ServerId, link: LinkId): void {
    this.#links.set(peer, { link, frames: [] })
  }

  lost(peer: ServerId): void {
    this.#links.delete(peer)
  }

  linkTo(peer: ServerId): LinkId | undefined {
    return this.#links.get(peer)?.link
  }

  send(peer: ServerId, frame: PeerFrame): void {
    this.#links.get(peer)?.frames.push(frame)
  }

  sendAll(frame: PeerFrame): void {
    for (const { frames } of this.#links.values()) frames.push(frame)
  }

  /** A server that left an epoch sends nothing of it any more. */
  clear(): void {
    for (const entry of this.#links.values()) entry.frames = []
  }

  drain(): readonly SendPeer[] {
    const effects: SendPeer[] = []
    for (const [to, entry] of this.#links) {
      if (entry.frames.length === 0) continue
      effects.push({ effect: 'sendPeer', to, link: entry.link, frames: entry.frames })
      entry.frames = []
    }
    return effects
  }
}
