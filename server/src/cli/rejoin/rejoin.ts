import { StartError } from '../../start-error.js'
import { DataDirectoryError, setAside } from '../../runtime/storage/index.js'
import { exitCodes } from '../exit-code.js'
import type { Output } from '../output/output.js'
import { quoteWord } from '../split-words.js'

export interface RejoinFlags {
  readonly data: string
  readonly loseData?: true
}

export const rejoin = async ({ data, loseData }: RejoinFlags, output: Output): Promise<number> => {
  let aside: string
  try {
    aside = await setAside(data, { mayLoseData: loseData === true })
  } catch (error) {
    if (!(error instanceof DataDirectoryError)) throw error
    const flag = error.problem === 'alone' ? '; the flag for that is --lose-data' : ''
    const sentence = error.message.replace(/\.$/, flag)
    throw new StartError('dataDirectory', sentence, { cause: error })
  }
  await output.result(
    `What was in ${quoteWord(data)} is in ${quoteWord(aside)} now. Start the server as before; ` +
      'remove that directory once nothing of it is needed.',
  )
  return exitCodes.ok.code
}
