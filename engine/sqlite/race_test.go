//go:build race

package sqlite

// Slowdown is about how many times as long a single goroutine takes with the race detector. Loops
// of one goroutine do less then.
const Slowdown = 6
