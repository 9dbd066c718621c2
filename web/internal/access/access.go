// Package access says who may read and write which keys. It compares tokens in constant time, and
// hands each request the Grant of its token. It does not know the vault, or what a request is for.
package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// Token lets whoever knows Secret read the keys that begin with Prefix, and with Write change them.
// Several tokens with one secret add up.
type Token struct {
	Secret string
	Prefix string
	Write  bool
}

// Grant is what a request may do. The zero Grant allows nothing.
type Grant struct{ rules []rule }

type rule struct {
	prefix string
	write  bool
}

// Everything allows reading, and with write changing, each key.
func Everything(write bool) Grant { return Grant{[]rule{{"", write}}} }

// Read reports whether the value of key may be read.
func (g Grant) Read(key string) bool { return g.allows(key, false) }

// Write reports whether the value of key may be changed.
func (g Grant) Write(key string) bool { return g.allows(key, true) }

// ReadPrefix reports whether every key that begins with prefix may be read.
func (g Grant) ReadPrefix(prefix string) bool { return g.allows(prefix, false) }

// WritePrefix reports whether every key that begins with prefix may be changed.
func (g Grant) WritePrefix(prefix string) bool { return g.allows(prefix, true) }

// A key may be read or written if it begins with the prefix of a rule; so may all keys with a
// prefix that does.
func (g Grant) allows(key string, write bool) bool {
	for _, r := range g.rules {
		if strings.HasPrefix(key, r.prefix) && (r.write || !write) {
			return true
		}
	}
	return false
}

// WriteAny reports whether any key may be changed.
func (g Grant) WriteAny() bool {
	return slices.ContainsFunc(g.rules, func(r rule) bool { return r.write })
}

// Prefixes returns the prefixes whose keys may be read, in the order of the tokens.
func (g Grant) Prefixes() []string {
	prefixes := make([]string, 0, len(g.rules))
	for _, r := range g.rules {
		prefixes = append(prefixes, r.prefix)
	}
	return prefixes
}

// Tokens are the tokens of a server.
type Tokens struct{ entries []entry }

type entry struct {
	hash [sha256.Size]byte
	rule rule
}

// NewTokens keeps the hashes of the secrets only. With readOnly no token may write.
func NewTokens(tokens []Token, readOnly bool) Tokens {
	var t Tokens
	for _, token := range tokens {
		allowed := rule{token.Prefix, token.Write && !readOnly}
		t.entries = append(t.entries, entry{sha256.Sum256([]byte(token.Secret)), allowed})
	}
	return t
}

// Grant returns what the request's token may do, and whether there is such a token. The token is a
// bearer token, or the password of basic authentication, for browsers and file managers; the name
// of the user does not count. Every secret is compared, each in constant time, so the time tells
// nothing about any.
func (t Tokens) Grant(r *http.Request) (Grant, bool) {
	secret, found := secretOf(r)
	hash := sha256.Sum256([]byte(secret))
	var g Grant
	for _, e := range t.entries {
		if subtle.ConstantTimeCompare(e.hash[:], hash[:]) == 1 {
			g.rules = append(g.rules, e.rule)
		}
	}
	return g, found && len(g.rules) > 0
}

func secretOf(r *http.Request) (string, bool) {
	scheme, rest, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if found && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest), true
	}
	_, password, found := r.BasicAuth()
	return password, found
}

type contextKey struct{}

// With returns a context that carries g.
func With(ctx context.Context, g Grant) context.Context {
	return context.WithValue(ctx, contextKey{}, g)
}

// Of returns the Grant that ctx carries, or one that allows nothing.
func Of(ctx context.Context) Grant {
	g, _ := ctx.Value(contextKey{}).(Grant)
	return g
}
