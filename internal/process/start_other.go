//go:build !linux

package process

func scope() string { return "" }

// StartOf is when a process started; empty, since it is not to be had.
func StartOf(string) string { return "" }
