//go:build !linux

package sqlite

func scope() string { return "" }

func startOf(string) string { return "" }
