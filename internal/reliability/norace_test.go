//go:build !race

package reliability

const slowdown = 1
