import type { Client, StandardSchema } from '#client/index.js'
import { ConfigStore, type ConfigStoreOptions } from '#client/recipes/index.js'

export interface Settings {
  readonly shards: number
  readonly limits?: Readonly<Record<string, unknown>>
}

/** As the libraries of https://standardschema.dev make them. */
export const settings: StandardSchema<Settings> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const { shards } = (value ?? {}) as Partial<Settings>
      if (Number.isSafeInteger(shards)) return { value: value as Settings }
      return { issues: [{ message: 'is a whole number', path: ['shards'] }] }
    },
  },
}

export const storeOf = (
  client: Client,
  options: Partial<ConfigStoreOptions<Settings>> = {},
): ConfigStore<Settings> => new ConfigStore(client, '/config', { schema: settings, ...options })

/** Goes through all that a subscriber gets, until one is as wanted; the loop has then ended. */
export const runUntil = async (
  subscription: AsyncIterable<{ readonly version: number; readonly document: Settings }>,
  isLast: (document: Settings) => boolean,
): Promise<readonly number[]> => {
  const versions: number[] = []
  for await (const { version, document } of subscription) {
    versions.push(version)
    if (isLast(document)) break
  }
  return versions
}
