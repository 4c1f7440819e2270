import t from 'tap'
import { faultsAreSurvived } from '../support/disk-fault-cases.js'

t.setTimeout(3_500_000)

faultsAreSurvived(t, 1, 3_000)
