//go:build reliability

package reliability

import "time"

// Amounts with the tag reliability.
const (
	defaultTransfers = 500
	defaultHold      = 8 * time.Second
	defaultKills     = 2000
	defaultLargest   = 5 << 30
	defaultSoak      = 2 * time.Minute
	// One of so many configurations of the model is tried, with so many seeds each.
	modelStride = 1
	// One of so many hostile files is tried.
	defaultHostile = 1
	// From so many changes of each kind FuzzDamage sets out.
	damageSeeds = 40
	// Damage lies so many bytes apart.
	damageStride    = 97
	defaultSeeds    = 4
	defaultRoom     = 1
	defaultLockStep = 1
	// At so many places a log is cut and overwritten.
	defaultLogCuts = 1000
)
