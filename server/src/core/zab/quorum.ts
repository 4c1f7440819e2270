/** How many of so many voters are a quorum: any two quorums share a voter. */
export const majority = (voters: number): number => Math.floor(voters / 2) + 1

/** The highest value that a quorum has reached. One value for each voter, at least one. */
export const quorumHighest = (values: readonly number[]): number => {
  const descending = values.toSorted((a, b) => b - a)
  return descending[majority(values.length) - 1] as number
}
