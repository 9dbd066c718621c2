//go:build !reliability && race

package sqlite_test

// defaultPowerCuts is how many cuts TestPowerCut makes of each kind: fewer, since each takes ten times as long with the race detector.
const defaultPowerCuts = 20
