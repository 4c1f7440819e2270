import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { limits } from '@conclave/client'
import { parse as parseYaml, YAMLParseError } from 'yaml'
import { z } from 'zod'
import { fileError } from '../read-input.js'
import { UsageError } from '../usage-error.js'

/** All that a server can be told, in a file or by flags. */
export type ServeConfig = z.infer<typeof configSchema> & { readonly data: string }

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export const logFormats = ['pretty', 'json'] as const
export const portMax = 65_535

/** Flags as the parser gives them; each overrides the same key of the file. */
export type ServeFlags = Partial<z.infer<typeof configSchema>> & { readonly config?: string }

/** @throws UsageError that names the file and the key, or the flag */
export const serveConfig = ({ config: file, ...flags }: ServeFlags): ServeConfig => {
  const fromFile = file === undefined ? {} : readConfig(file)
  const config = { ...fromFile, ...flags }
  const { data } = config
  if (data === undefined) {
    const where = file === undefined ? '' : `, or data: DIR into ${file}`
    throw new UsageError(`say where the data is to be kept: --data DIR${where}`)
  }
  return { ...config, data }
}

/** Reads a file, YAML or JSON. A relative path in it starts from where the file is. */
const readConfig = (file: string): z.infer<typeof configSchema> => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw fileError(error, `the config file ${file} cannot be read`)
  }
  const config = parseConfig(text, file)
  const { data } = config
  return data === undefined ? config : { ...config, data: resolve(dirname(file), data) }
}

/** @throws UsageError */
export const parseConfig = (text: string, file: string): z.infer<typeof configSchema> => {
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
  const parsed = configSchema.safeParse(value ?? {})
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new UsageError(issue === undefined ? `${file} is not valid` : issueText(issue, file))
}

const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max)
const timeoutMs = whole(limits.sessionTimeoutMsMin, limits.sessionTimeoutMsMax)

const configSchema = z.strictObject({
  data: z.string().min(1).optional(),
  host: z.string().min(1).optional(),
  clientPort: whole(0, portMax).optional(),
  serverId: whole(1, limits.serverIdMax).optional(),
  insecure: z.boolean().optional(),
  allowOrigins: z.array(z.string()).optional(),
  hosts: z.array(z.string()).optional(),
  historyBytesMax: whole(0).optional(),
  snapshotTxns: whole(1).optional(),
  segmentBytes: whole(1).optional(),
  sessionTimeoutMsMin: timeoutMs.optional(),
  sessionTimeoutMsMax: timeoutMs.optional(),
  logLevel: z.enum(logLevels).optional(),
  logFormat: z.enum(logFormats).optional(),
})

const keys = Object.keys(configSchema.shape)

const issueText = (issue: z.core.$ZodIssue, file: string): string => {
  const key = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    const [unknown = ''] = issue.keys
    const meant = keys.find((known) => sameLetters(known, unknown))
    const hint = meant === undefined ? `there are ${keys.join(', ')}` : `did you mean ${meant}?`
    return `${file}: there is no key "${unknown}"; ${hint}`
  }
  if (key === '') return `${file} is not a list of keys and values, such as "data: ./data"`
  return `${file}: ${key}: ${issue.message.replace('Invalid input: ', '')}`
}

/** `client_port`, `client-port` and `ClientPort` mean `clientPort`. */
const sameLetters = (a: string, b: string): boolean => letters(a) === letters(b)
const letters = (name: string): string => name.toLowerCase().replace(/[^a-z]/g, '')
