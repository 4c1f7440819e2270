import type { Mutation } from '../mutations/mutation.js'
import type { SourceFile } from './source-text.js'
import { lineOf, literalAt, maskText } from './source-text.js'
import type { Offence } from './tidy.js'

/** HOUSE-6: every rule has a test, and every test names a rule. */
export const checkRuleTests = (spec: string, tests: readonly SourceFile[]): readonly Offence[] => {
  const rules = rulesOf(spec)
  const known = new Set(rules)
  const tested = new Set<string>()
  const offences: Offence[] = []
  for (const file of tests) {
    for (const { line, title } of titlesOf(file.text)) {
      const place = `${file.path}:${line}`
      const ids = title === null ? [] : leadingIds(title)
      for (const id of ids) tested.add(id)
      if (title === null) offences.push(`${place}: a title that is no literal names no rule`)
      else if (ids.length === 0) offences.push(`${place}: "${title}" does not begin with a rule id`)
      for (const id of ids) if (!known.has(id)) offences.push(`${place}: there is no rule ${id}`)
    }
  }
  const twice = rules.filter((rule, index) => rules.indexOf(rule) !== index)
  return [
    ...twice.map((rule) => `docs/SPEC.md: ${rule} stands there twice`),
    ...[...known].filter((rule) => !tested.has(rule)).map((rule) => `${rule}: no test names it`),
    ...offences,
  ]
}

/**
 * HOUSE-8: every rule but those of the house has a mutation, and each still fits the source that it
 * breaks: once the line has moved on it would prove nothing.
 */
export const checkMutations = (
  spec: string,
  mutations: readonly Mutation[],
  sourceOf: (file: string) => string,
): readonly Offence[] => {
  const known = new Set(rulesOf(spec))
  const broken = new Set(mutations.map(({ rule }) => rule))
  const isOfTheHouse = (rule: string): boolean => rule.startsWith('HOUSE-')
  return [
    ...[...known]
      .filter((rule) => !isOfTheHouse(rule) && !broken.has(rule))
      .map((rule) => `${rule}: no mutation breaks it`),
    ...[...broken]
      .filter((rule) => !known.has(rule))
      .map((rule) => `${rule}: there is no such rule`),
    ...mutations
      .filter(({ file, before }) => sourceOf(file).split(before).length !== 2)
      .map(({ rule, file, before }) => `${file}: not once there, to break ${rule}: ${before}`),
  ]
}

const rulesOf = (spec: string): readonly string[] =>
  [...spec.matchAll(/^- \*\*([A-Z][A-Z0-9]*-\d+)\*\*/gm)].map((match) => match[1] ?? '')

type Title = { readonly line: number; readonly title: string | null }

const testCall = /(?<![\w$.])(?:(?:t|st|tt|tap)\s*\.\s*)?(?:test|it)(?:\.(?:skip|only|todo))?\(\s*/g

const titlesOf = (text: string): readonly Title[] => {
  const { code } = maskText(text)
  return [...code.matchAll(testCall)].flatMap((match): readonly Title[] => {
    const at = match.index + match[0].length
    const line = lineOf(text, match.index)
    if (/['"`]/.test(code[at] ?? '')) return [{ line, title: literalAt(text, at) }]
    // A bare test(...) or it(...) may be somebody's own function; t.test(...) is not.
    return match[0].includes('.') ? [{ line, title: null }] : []
  })
}

/** "TREE-1 TREE-2, the rest": all ids that stand before the words. */
const leadingIds = (title: string): readonly string[] =>
  /^(?:[A-Z][A-Z0-9]*-\d+(?:[\s,:]+|$))*/.exec(title)?.[0].match(/[A-Z][A-Z0-9]*-\d+/g) ?? []
