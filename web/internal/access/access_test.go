package access

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func request(t *testing.T, authorization string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func TestGrant(t *testing.T) {
	tokens := []Token{
		{Secret: "all"},
		{Secret: "photos", Prefix: "photos/", Write: true},
		{Secret: "both", Prefix: "a/"},
		{Secret: "both", Prefix: "b/", Write: true},
	}
	const read, write = true, true
	for _, tt := range []struct {
		secret, key          string
		read, write          bool
		prefixRead, prefixed bool // of the key as a prefix
	}{
		{"all", "k", read, false, true, false},
		{"all", "", read, false, true, false},
		{"photos", "photos/cat", read, write, true, true},
		{"photos", "photos/", read, write, true, true},
		{"photos", "photos", false, false, false, false},
		{"photos", "photos2/cat", false, false, false, false},
		{"photos", "", false, false, false, false},
		{"both", "a/k", read, false, true, false},
		{"both", "b/k", read, write, true, true},
		{"both", "c", false, false, false, false},
	} {
		g, known := NewTokens(tokens, false).Grant(request(t, "Bearer "+tt.secret))
		got := []bool{known, g.Read(tt.key), g.Write(tt.key), g.ReadPrefix(tt.key), g.WritePrefix(tt.key)}
		if want := []bool{true, tt.read, tt.write, tt.prefixRead, tt.prefixed}; !slices.Equal(got, want) {
			t.Errorf("%s, %q: %v, want %v", tt.secret, tt.key, got, want)
		}
		g, _ = NewTokens(tokens, true).Grant(request(t, "Bearer "+tt.secret))
		if g.Read(tt.key) != tt.read || g.Write(tt.key) || g.WritePrefix(tt.key) {
			t.Errorf("%s, %q: read-only: %+v", tt.secret, tt.key, g)
		}
	}
	g, _ := NewTokens(tokens, false).Grant(request(t, "Bearer both"))
	if got := g.Prefixes(); !slices.Equal(got, []string{"a/", "b/"}) {
		t.Errorf("prefixes %q", got)
	}
}

func TestSecret(t *testing.T) {
	tokens := NewTokens([]Token{{Secret: "a:secret"}}, false)
	basic := request(t, "")
	basic.SetBasicAuth("any:one", "x") // the name cannot have a colon: the password is "one:x"
	if _, known := tokens.Grant(basic); known {
		t.Error("another password")
	}
	basic.SetBasicAuth("anyone", "a:secret")
	for _, r := range []*http.Request{
		basic, request(t, "Bearer a:secret"), request(t, "BEARER a:secret"), request(t, "Bearer   a:secret "),
	} {
		if g, known := tokens.Grant(r); !known || !g.Read("k") {
			t.Errorf("%q is not known", r.Header.Get("Authorization"))
		}
	}
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer a:secre", "Bearer a:secret2", "a:secret", "Basic a:secret", "Digest a:secret", "Basic !"} {
		if g, known := tokens.Grant(request(t, authorization)); known || g.Read("k") {
			t.Errorf("%q is known", authorization)
		}
	}
	// Not even a token without a secret, which New refuses, lets in a request without any.
	if _, known := NewTokens([]Token{{}}, false).Grant(request(t, "")); known {
		t.Error("no secret is known")
	}
}

func TestContext(t *testing.T) {
	if g := Of(context.Background()); g.Read("k") || g.ReadPrefix("") {
		t.Error("a context without a grant allows something")
	}
	g := Of(With(t.Context(), Everything(false)))
	if !g.Read("k") || !g.ReadPrefix("") || g.Write("k") {
		t.Errorf("%+v", g)
	}
	if !Everything(true).WritePrefix("") {
		t.Error("everything is less than everything")
	}
}
