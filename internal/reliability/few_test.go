//go:build !reliability

package reliability

import "time"

// Amounts of a plain test run; with the tag reliability there is more of everything.
const (
	defaultTransfers = 4
	defaultHold      = 300 * time.Millisecond
	defaultKills     = 12
	defaultLargest   = 65 << 20
	defaultSoak      = time.Second
	// One of so many configurations of the model is tried, another each time, with so many seeds each.
	modelStride = 29
	// One of so many hostile files is tried, another each time.
	defaultHostile = 23 * slowdown
	// From so many changes of each kind FuzzDamage sets out.
	damageSeeds = 12
	// Damage lies so many bytes apart.
	damageStride    = 4001 * slowdown
	defaultSeeds    = 1
	defaultRoom     = 20 * slowdown
	defaultLockStep = 8 * slowdown
	// At so many places a log is cut and overwritten.
	defaultLogCuts = 24 / slowdown
)
