import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse as parseYaml, YAMLParseError } from 'yaml'
import { defaultAdminPort } from '@conclave/protocol'
import { z } from 'zod'
import { optionFault, optionsInOrder, serverOptionFields } from '../../server-options.js'
import { fileError } from '../read-input.js'
import { UsageError } from '../usage-error.js'

/** What a file or flags say; what they leave out is the server's to fill in. */
type Said = z.input<typeof configSchema>
export type ServeConfig = Said & { readonly data: string }

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export const logFormats = ['pretty', 'json'] as const

/** Flags as the parser gives them; each overrides the same key of the file. */
export type ServeFlags = Said & { readonly config?: string }

/** @throws UsageError that names the file and the key, or the flag */
export const serveConfig = ({ config: file, ...flags }: ServeFlags): ServeConfig => {
  const fromFile = file === undefined ? {} : readConfig(file)
  const config = { ...fromFile, ...flags }
  const { data } = config
  if (data === undefined) {
    const where = file === undefined ? '' : `, or data: DIR into ${file}`
    throw new UsageError(`say where the data is to be kept: --data DIR${where}`)
  }
  // A program of its own has room for it; in another program it has to be asked for.
  const admin = config.servers === undefined ? { adminPort: defaultAdminPort } : {}
  return { ...admin, ...config, data }
}

/** The servers that a config file lists; none when it lists none. */
export const serversIn = (file: string): NonNullable<Said['servers']> =>
  readConfig(file).servers ?? []

/** Reads a file, YAML or JSON. A relative path in it starts from where the file is. */
const readConfig = (file: string): Said => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw fileError(error, `the config file ${file} cannot be read`)
  }
  const config = parseConfig(text, file)
  const beside: { data?: string; secretFile?: string } = {}
  for (const key of ['data', 'secretFile'] as const) {
    const path = config[key]
    if (path !== undefined) beside[key] = resolve(dirname(file), path)
  }
  return { ...config, ...beside }
}

/** @throws UsageError */
export const parseConfig = (text: string, file: string): Said => {
  let value: unknown
  try {
    // Every JSON text is YAML.
    value = parseYaml(text)
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error
    const [at] = error.linePos ?? []
    const line = at === undefined ? '' : ` in line ${at.line}`
    const [reason = ''] = error.message.split('\n')
    throw new UsageError(`${file} is no YAML${line}: ${reason.replace(/ at line \d+.*$/, '')}`)
  }
  const said = value ?? {}
  const parsed = configSchema.safeParse(said)
  if (parsed.success) return said as Said
  if (typeof said !== 'object' || Array.isArray(said)) {
    throw new UsageError(`${file} is no list of names and values, such as "data: ./data"`)
  }
  throw new UsageError(`${file}: ${optionFault(parsed.error, said, configKeys())}`)
}

const oneOf = <const T extends readonly string[]>(words: T) =>
  z.enum(words, { error: `one of ${words.join(', ')}` })

/** What a config file may say, for `--help`. */
export const configKeys = (): readonly string[] => Object.keys(configSchema.shape)

const configSchema = z
  .strictObject({
    ...serverOptionFields,
    data: serverOptionFields.data.optional(),
    logLevel: oneOf(logLevels).optional(),
    logFormat: oneOf(logFormats).optional(),
  })
  .check(optionsInOrder)
