// Package process tells this process from others, and names temporary files after it, so that what
// a killed process left behind can be told from what a living one still writes.
package process

import (
	"crypto/rand"
	"os"
	"strings"
)

// Scope is where the ids of processes mean those that this one can see; empty if that is not known.
var Scope = scope()

// Host is the machine's name and Scope.
var Host = func() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return strings.ReplaceAll(host+Scope, "|", "-")
}()

// Token is this process's own, since ids are used again. Where StartOf tells when the process
// started, the token ends with that.
var Token = func() string {
	token := rand.Text()[:16]
	if start := StartOf("self"); start != "" {
		token += "." + start
	}
	return token
}()
