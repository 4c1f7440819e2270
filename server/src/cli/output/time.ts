/** `2026-11-21 04:45:07Z`. */
export const timeText = (timeMs: number): string => {
  const date = new Date(timeMs)
  if (Number.isNaN(date.getTime())) return `${timeMs} ms`
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`
}

/** How long ago: `11 s ago`. A server's clock may be ahead of ours: `in 3 s`. */
export const ageText = (timeMs: number, nowMs: number): string => {
  const ageMs = nowMs - timeMs
  if (Math.abs(ageMs) < 1_000) return 'now'
  return ageMs > 0 ? `${durationText(ageMs)} ago` : `in ${durationText(-ageMs)}`
}

/** In a unit of which there are at least two: `250 ms`, `90 s`, `3 min`, `5 h`, `12 d`. */
export const durationText = (durationMs: number): string => {
  const { name, unitMs } = units.find((unit) => durationMs >= unit.fromMs) ?? milliseconds
  return `${Math.floor(durationMs / unitMs)} ${name}`
}

const milliseconds = { name: 'ms', fromMs: 0, unitMs: 1 } as const
const units = [
  { name: 'd', fromMs: 2 * 86_400_000, unitMs: 86_400_000 },
  { name: 'h', fromMs: 2 * 3_600_000, unitMs: 3_600_000 },
  { name: 'min', fromMs: 120_000, unitMs: 60_000 },
  { name: 's', fromMs: 1_000, unitMs: 1_000 },
  milliseconds,
] as const
