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
	// The model tries one in modelStride configurations.
	modelStride = 1
	// The test of hostile files tries one in defaultHostile.
	defaultHostile = 1
	// FuzzDamage starts from damageSeeds changes of each kind.
	damageSeeds = 40
	// The tests of damaged files damage one byte in damageStride.
	damageStride    = 97
	defaultSeeds    = 4
	defaultRoom     = 1
	defaultLockStep = 1
	// The tests of logs cut and overwrite them at defaultLogCuts places.
	defaultLogCuts = 1000
)
