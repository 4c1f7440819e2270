import t from 'tap'
import { testEveryFrame } from './recipes/every-frame.js'

t.setTimeout(600_000)

/** `npm run e2e` strikes at every frame. */
const stride = 4

await testEveryFrame(t, stride)
