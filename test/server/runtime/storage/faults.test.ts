import t from 'tap'
import { faultsAreSurvived } from '../../../support/disk-fault-cases.js'

t.setTimeout(110_000)

faultsAreSurvived(t, 9, 300)
