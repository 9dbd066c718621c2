package web

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/guard"
)

// Token lets whoever knows Secret read the keys that begin with Prefix, and with Write change them.
// Several tokens with one secret add up.
type Token = access.Token

// Defaults of Options.
const (
	DefaultStallTimeout = time.Minute
	DefaultMaxRequests  = 4096
)

// Options configure a Handler. Nil and zero fields are the defaults. A negative number stands for
// no limit where the comment of the field says so; every other one is kvault.ErrInvalid.
type Options struct {
	// ReadOnly refuses every change.
	ReadOnly bool
	// Tokens are the secrets that requests must carry one of. Without any, everyone who reaches the
	// server may read and, unless ReadOnly, change every key.
	Tokens []Token
	// Hosts are names that the server answers to, without a port. A request whose Host header has
	// another name is answered 421, for it may come from the page of an attacker who let his own
	// name lead to this server. Connections to a loopback address may also name localhost or a
	// loopback address, and all others any IP address. If Hosts is empty and there are tokens,
	// connections that are not to a loopback address may name anything. Behind a proxy, Hosts are
	// the names that the proxy passes on.
	Hosts []string
	// Logger gets a record of each request: no token, no query and no header is in it. Nil: none.
	Logger *slog.Logger
	// StallTimeout is how long a client may keep the server waiting for the next bytes of a body, or
	// for taking those of an answer, and for 64 KiB in all. It costs slow clients nothing that keep
	// moving: the default, a minute, asks for 1.1 KB/s. Negative: no limit.
	StallTimeout time.Duration
	// MaxValue is the length in bytes of the longest body of a request, and of the longest resumable
	// upload. A longer one is answered 413. 0: no limit.
	MaxValue int64
	// MaxRequests is the number of requests that are answered at one time. Further ones are answered
	// 503. Default 4096. Negative: no limit.
	MaxRequests int
}

// check refuses options that make no sense.
func (o *Options) check() error {
	if o == nil {
		return nil
	}
	if o.MaxValue < 0 {
		return fmt.Errorf("option MaxValue %d is negative: %w", o.MaxValue, kvault.ErrInvalid)
	}
	for i, t := range o.Tokens {
		if t.Secret == "" {
			return fmt.Errorf("option Tokens[%d] has no secret: %w", i, kvault.ErrInvalid)
		}
	}
	for _, name := range o.Hosts {
		if name == "" || guard.HostOf(name) != strings.ToLower(name) || strings.Contains(name, "/") {
			return fmt.Errorf("option Hosts: %q is no name of a host; it has no port: %w", name, kvault.ErrInvalid)
		}
	}
	return nil
}

// resolved returns a copy of o with the defaults filled in. check must have accepted o.
func (o *Options) resolved() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.StallTimeout = cmp.Or(c.StallTimeout, DefaultStallTimeout)
	c.MaxRequests = cmp.Or(c.MaxRequests, DefaultMaxRequests)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}
