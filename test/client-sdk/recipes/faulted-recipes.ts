import { faultedCaches } from './faulted-caches.js'
import { faultedConfig } from './faulted-config.js'
import { faultedCoordination } from './faulted-coordination.js'
import { faultedDiscovery } from './faulted-discovery.js'
import { faultedGrants } from './faulted-grants.js'
import type { FaultedRecipe } from './faulted-recipe.js'

/** Every recipe has its row here. */
export const faultedRecipes: readonly FaultedRecipe[] = [
  ...faultedGrants,
  ...faultedCoordination,
  ...faultedDiscovery,
  ...faultedConfig,
  ...faultedCaches,
]
