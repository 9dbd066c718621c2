//go:build !unix

package cli

const dontWait = 0
