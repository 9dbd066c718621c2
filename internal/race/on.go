//go:build race

package race

// Slowdown is about how many times as long a single goroutine takes with the race detector.
const Slowdown = 6
