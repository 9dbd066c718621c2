//go:build race

package reliability

// slowdown is about how many times as long a single goroutine takes with the race detector. Loops
// of one goroutine do as much less, and have as much more time.
const slowdown = 6
