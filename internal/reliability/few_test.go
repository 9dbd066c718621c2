//go:build !reliability

package reliability

import (
	"time"

	"github.com/kohakuvault/kvault/internal/race"
)

// Amounts of a plain test run; with the tag reliability there is more of everything.
const (
	defaultTransfers = 4
	defaultHold      = 300 * time.Millisecond
	defaultKills     = 12
	defaultLargest   = 65 << 20
	defaultSoak      = time.Second
	// The model tries one in modelStride configurations, others in each run.
	modelStride = 29
	// The test of hostile files tries one in defaultHostile, others in each run.
	defaultHostile = 23 * race.Slowdown
	// FuzzDamage starts from damageSeeds changes of each kind.
	damageSeeds = 12
	// The tests of damaged files damage one byte in damageStride.
	damageStride    = 4001 * race.Slowdown
	defaultSeeds    = 1
	defaultRoom     = 60 * race.Slowdown
	defaultLockStep = 20
	// The tests of logs cut and overwrite them at defaultLogCuts places.
	defaultLogCuts = 24 / race.Slowdown
)
