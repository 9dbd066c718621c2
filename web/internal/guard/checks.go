package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// MaxURL is the length in bytes of the longest request target: a key with each byte escaped, and
// some more.
const MaxURL = 3*kvault.MaxKey + 4<<10

func checkURL(r *http.Request) error {
	if max(len(r.RequestURI), len(r.URL.Path), len(r.URL.RawQuery)) > MaxURL {
		return &wire.Error{Status: http.StatusRequestURITooLong, Text: "the URL is too long"}
	}
	return nil
}

// checkHost refuses names that are not the server's own. A site of an attacker can have its name
// lead to the address of this server (DNS rebinding); the pages of the site are then of one origin
// with the server, for the browser, and may read everything. No site can do that with an address in
// place of a name.
//
// A connection to a loopback address may name localhost or a loopback address, and any other one
// may name an address. All may name one of Hosts. Where there are tokens and no Hosts, connections
// that are not to a loopback address may name anything: the browser of a victim does not send the
// token to the site.
func (g *Guard) checkHost(r *http.Request) error {
	host := HostOf(r.Host)
	named := func(name string) bool { return host != "" && HostOf(name) == host }
	if slices.ContainsFunc(g.o.Hosts, named) {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	literal := err == nil
	switch addr := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.UnixAddr: // which no browser connects to
		return nil
	case *net.TCPAddr:
		switch loopback := addr.IP.IsLoopback(); {
		case loopback && (host == "localhost" || literal && ip.IsLoopback()):
			return nil
		case !loopback && (literal || g.o.Tokens != nil && len(g.o.Hosts) == 0):
			return nil
		}
	}
	text := fmt.Sprintf("this server does not go by the name %.255q: "+
		"open it by its address, or have the name added to its hosts", host)
	return &wire.Error{Status: http.StatusMisdirectedRequest, Text: text}
}

// HostOf returns a Host header without the port and in lower case. It is empty for what is none.
func HostOf(host string) string {
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
			return ""
		}
		name = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		if name, ok = strings.CutSuffix(inner, "]"); !ok {
			return ""
		}
	}
	return strings.TrimSuffix(strings.ToLower(name), ".")
}

// login returns what the request may do. Without a token, OPTIONS may do nothing, but gets an
// answer: Windows asks so before it logs in.
func (g *Guard) login(w http.ResponseWriter, r *http.Request) (access.Grant, error) {
	if g.o.Tokens == nil {
		return g.o.Grant, nil
	}
	grant, known := g.o.Tokens.Grant(r)
	tried := r.Header.Get("Authorization") != ""
	if known || r.Method == http.MethodOptions && !tried {
		return grant, nil
	}
	text := "this server wants a token, as the password of basic authentication or as a bearer token"
	if tried {
		g.meters.failedLogins.Inc()
		text = "this server does not know the token"
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="kvault", charset="UTF-8"`)
	return access.Grant{}, &wire.Error{Status: http.StatusUnauthorized, Text: text}
}

// limitBody refuses a body that is too long, at once where its length is known.
func (g *Guard) limitBody(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if g.o.MaxBody == 0 || r.Body == nil || r.ContentLength == 0 {
		return r, nil
	}
	if r.ContentLength > g.o.MaxBody {
		return r, &http.MaxBytesError{Limit: g.o.MaxBody}
	}
	for {
		// MaxBytesReader tells net/http's own writer that the connection is not to be used again.
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	r2 := *r
	r2.Body = http.MaxBytesReader(w, r.Body, g.o.MaxBody)
	return &r2, nil
}
