import { ServiceRegistry, SessionScope } from '#client/recipes/index.js'
import { wordsOfIds } from './oracles.js'
import { passingPath } from './places.js'
import type { Activity } from './user.js'

/** Is an instance of a service for a while, over the ends of its sessions, and looks for others. */
export const serve: Activity = async (user) => {
  const { client, name, oracles, random, sleep } = user
  await using scope = new SessionScope(() => user.connect(), client.clock)
  const services = new ServiceRegistry(scope, `${passingPath}/services`)
  const instance = { id: `${name}-${random.bits()}`, address: name }
  await using _registration = await services.register('query', instance)
  await using resolver = services.resolver('query', { random: () => random.between(0, 1) })
  await resolver.ready
  let place = 0
  for (let left = random.below(20); left > 0; left -= 1) {
    await sleep(random.exponential(300))
    const ids = resolver.instances().map(({ id }) => id)
    place = oracles.services.find(name, wordsOfIds(ids), place)
  }
}
