//go:build !linux

package sqlite

func scope() string { return "" }
