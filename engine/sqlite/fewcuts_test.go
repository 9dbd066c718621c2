//go:build !reliability && !race

package sqlite_test

// defaultPowerCuts is how many cuts TestPowerCut makes of each kind.
const defaultPowerCuts = 60
