import { readFileSync } from 'node:fs'

/** CPU time of a process and all its threads since it began, user and system (proc(5), stat). */
export const cpuMsOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name of the program, in parentheses, may hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [utime, stime] = [fields[11], fields[12]]
  return (Number(utime) + Number(stime)) * tickMs
}

/** Resident memory in bytes (proc(5), statm). */
export const rssOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * pageBytes

// USER_HZ is 100 on every architecture that Node runs on; pages of x64 and arm64 Debian.
const tickMs = 10
const pageBytes = 4_096
