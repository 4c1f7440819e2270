import { limits, type SessionId, type Zxid } from '@conclave/protocol'
import type { Trace } from '../effect.js'
import { numbersSpent } from './leadership.js'
import type { Applied } from './replicated-state.js'

/** What people and metrics are told of a txn. */
export const tracesOf = ({ txn, ended }: Applied): readonly Trace[] => {
  const { body, zxid } = txn
  const traces: Trace[] = []
  if (zxid === limits.zxidMax - limits.zxidsForSessions) traces.push(zxidsSpent(zxid))
  if (body.body === 'createEnsemble') {
    traces.push({ trace: 'ensembleCreated', ensembleId: body.ensembleId })
  }
  if (body.body === 'createSession') {
    const { sessionTimeoutMs } = body
    const sessionId = zxid as number as SessionId
    traces.push({ trace: 'sessionCreated', sessionId, sessionTimeoutMs })
  }
  if (body.body === 'write' && txn.sessionId === 0) {
    for (const change of body.changes) {
      if (change.change === 'delete') traces.push({ trace: 'reaped', path: change.path })
    }
  }
  if (ended !== null && body.body === 'closeSession') {
    const { sessionId, expired } = ended
    const ephemerals = body.changes.length
    traces.push({ trace: 'sessionClosed', sessionId, expired, ephemerals })
  }
  return traces
}

export const zxidsSpent = (zxid: Zxid): Trace => ({
  trace: 'zxidsSpent',
  zxid,
  advice: numbersSpent.message,
})
