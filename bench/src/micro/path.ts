import { baseName, parentPath, pathFault } from '@conclave/protocol'
import { suiteOf } from './micro-case.js'

const path = '/services/database/eu-west-1/instance-0000000042'

export const paths = suiteOf('path', [
  { name: 'pathFault', operations: 1, run: () => void pathFault(path) },
  { name: 'parentPath', operations: 1, run: () => void parentPath(path) },
  { name: 'baseName', operations: 1, run: () => void baseName(path) },
])
