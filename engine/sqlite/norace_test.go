//go:build !race

package sqlite

// Slowdown is the price of the race detector, which is off.
const Slowdown = 1
