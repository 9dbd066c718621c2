//go:build !race

// Package race tells tests what the race detector costs. Loops of one goroutine, in which it finds
// nothing that it does not find in their first turns, do as much less with it.
package race

// Slowdown is about how many times as long a single goroutine takes: once, without the detector.
const Slowdown = 1
