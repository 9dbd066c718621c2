//go:build !reliability

package reliability

import "time"

// Amounts of a plain test run; with the tag reliability there is more of everything.
const (
	defaultTransfers = 4
	defaultHold      = 300 * time.Millisecond
	defaultKills     = 24
	defaultLargest   = 65 << 20
	defaultSoak      = 1500 * time.Millisecond
	// One of so many configurations of the model is tried, with so many seeds each.
	modelStride = 13
	// One of so many hostile files is tried.
	hostileStride = 9 * slowdown
	// Damage lies so many bytes apart.
	damageStride    = 4001 * slowdown
	modelSeeds      = 1
	defaultRoom     = 8 * slowdown
	defaultLockStep = 4 * slowdown
	// At so many places a log is cut and overwritten.
	defaultLogCuts = 40 / slowdown
)
