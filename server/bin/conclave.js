#!/usr/bin/env node
// Committed rather than compiled: npm links a package's commands before anything is built.
import '../dist/cli/main.js'
