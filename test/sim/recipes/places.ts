/** What stands below it goes when nobody uses it. */
export const passingPath = '/recipes'
/** What stands below it stays. */
const lastingPath = '/kept'

export const servicePath = `${passingPath}/services/query`
export const groupPath = `${lastingPath}-group`
export const configPath = `${lastingPath}-config`
export const treePath = `${lastingPath}-tree`
export const timestampsPath = `${lastingPath}-timestamps`
export const counterPath = `${lastingPath}-counter`
