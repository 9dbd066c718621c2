package dav_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/kohakuvault/kvault/web/internal/access"
)

const lockBody = `<?xml version="1.0"?><a:lockinfo xmlns:a="DAV:" xmlns:o="urn:o"><a:lockscope>` +
	`<a:exclusive/></a:lockscope><a:locktype><a:write/></a:locktype>` +
	`<a:owner><o:name>me &amp; you</o:name></a:owner></a:lockinfo>`

// lock locks a path and returns the token.
func (s *server) lock(path string, more ...header) string {
	s.t.Helper()
	a, text := s.do("LOCK", path, lockBody, more...)
	token := strings.Trim(a.Header.Get("Lock-Token"), "<>")
	if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil {
		s.t.Errorf("%v in %s", err, text)
	}
	if strings.Contains(text, "o:") && !strings.Contains(text, "xmlns:o") {
		s.t.Errorf("a prefix is not declared in %s", text)
	}
	if a.StatusCode >= 300 || !strings.HasPrefix(token, "opaquelocktoken:") {
		s.t.Fatalf("LOCK %s is %d with token %q: %s", path, a.StatusCode, token, text)
	}
	return token
}

// patchBody sets a property.
const patchBody = `<propertyupdate xmlns="DAV:"><set><prop><p xmlns="u">1</p></prop></set>` +
	`</propertyupdate>`

func ifHeader(format string, args ...any) header {
	return header{"If", fmt.Sprintf(format, args...)}
}

func TestLockedFile(t *testing.T) {
	s := newServer(t, openMemory(t), "a", "b", "d/x")
	token := s.lock("/dav/a")
	for _, c := range []change{
		{method: "PUT", path: "/dav/a"},
		{method: "DELETE", path: "/dav/a"},
		{method: "LOCK", path: "/dav/a"},
		{method: "MOVE", path: "/dav/a", headers: headers{to("/dav/c")}},
		{method: "MOVE", path: "/dav/b", headers: headers{to("/dav/a")}},
		{method: "COPY", path: "/dav/d", headers: headers{to("/dav/a")}},
		{method: "PROPPATCH", path: "/dav/a"},
	} {
		body := lockBody
		if c.method == "PROPPATCH" {
			body = patchBody
		}
		s.want(423, c.method, c.path, body, c.headers...)
	}
	s.wantKeys("a", "b", "d/x")
	s.want(201, "COPY", "/dav/a", "", to("/dav/c"))
	got := s.propfind("/dav/a", "0", "")["/dav/a"]["lockdiscovery"]
	for _, want := range []string{token, `<name xmlns="urn:o">me &amp; you</name>`, "/dav/a"} {
		if !strings.Contains(got, want) {
			t.Errorf("lockdiscovery is %s, without %s", got, want)
		}
	}
	s.want(204, "PUT", "/dav/a", "new", ifHeader("(<%s>)", token))
	s.want(200, "LOCK", "/dav/a", "", ifHeader("(<%s>)", token)) // a refresh
	s.want(412, "LOCK", "/dav/a", "", ifHeader("(<opaquelocktoken:other>)"))
	s.want(409, "UNLOCK", "/dav/b", "", header{"Lock-Token", "<" + token + ">"})
	s.want(409, "UNLOCK", "/dav/a", "", header{"Lock-Token", "<opaquelocktoken:other>"})
	s.want(204, "UNLOCK", "/dav/a", "", header{"Lock-Token", "<" + token + ">"})
	s.want(412, "PUT", "/dav/a", "newer", ifHeader("(<%s>)", token))
	s.want(204, "PUT", "/dav/a", "newer")
	// What is gone has no lock.
	token = s.lock("/dav/a")
	s.want(201, "MOVE", "/dav/a", "", to("/dav/e"), ifHeader("(<%s>)", token))
	s.want(201, "PUT", "/dav/a", "a")
	s.wantKeys("a", "b", "c=a", "d/x", "e=newer")
}

func TestLockedFolder(t *testing.T) {
	s := newServer(t, openMemory(t), "d/x", "d/e/y", "f")
	token := s.lock("/dav/d/e") // with all that is in it
	s.want(423, "PUT", "/dav/d/e/new", "")
	s.want(423, "MKCOL", "/dav/d/e/new", "")
	s.want(423, "DELETE", "/dav/d/e/y", "")
	s.want(423, "DELETE", "/dav/d", "")
	s.want(423, "MOVE", "/dav/d", "", to("/dav/g"))
	s.want(423, "COPY", "/dav/f", "", to("/dav/d"))
	s.want(423, "LOCK", "/dav/d/e/y", lockBody)
	s.want(423, "LOCK", "/dav/", lockBody)
	s.want(204, "PUT", "/dav/d/x", "d/x")
	s.want(201, "PUT", "/dav/d/e/new", "d/e/new", ifHeader("<%s/dav/d/e> (<%s>)", s.URL, token))
	s.want(204, "DELETE", "/dav/d/e", "", ifHeader("(<%s>)", token))
	s.wantKeys("d/x", "f")
	s.want(201, "MKCOL", "/dav/d/e", "")
	// The list of a folder alone.
	token = s.lock("/dav/d", header{"Depth", "0"})
	s.want(204, "PUT", "/dav/d/x", "d/x")
	s.want(423, "PUT", "/dav/d/new", "")
	s.want(423, "DELETE", "/dav/d/x", "")
	s.want(423, "MOVE", "/dav/f", "", to("/dav/d/f"))
	s.want(201, "MOVE", "/dav/f", "", to("/dav/d/f"), ifHeader("<%s/dav/d> (<%s>)", s.URL, token))
	s.wantKeys("d/e/", "d/f=f", "d/x")
	s.want(400, "LOCK", "/dav/d/x", lockBody, header{"Depth", "1"})
}

func TestLockOfNothing(t *testing.T) {
	s := newServer(t, openMemory(t), "d/x")
	s.want(409, "LOCK", "/dav/none/new", lockBody)
	s.want(405, "LOCK", "/dav/new/", lockBody)
	token := s.lock("/dav/d/new", header{"Timeout", "Infinite, Second-4100000000"})
	s.wantKeys("d/new=", "d/x")
	s.want(423, "PUT", "/dav/d/new", "")
	a, text := s.do("LOCK", "/dav/d/new", "", ifHeader("(<%s>)", token))
	if a.StatusCode != 200 || !strings.Contains(text, "Second-3600") {
		t.Errorf("a refresh is %d %s", a.StatusCode, text)
	}
	s.want(204, "PUT", "/dav/d/new", "d/new", ifHeader("(<%s>)", token))
	s.wantKeys("d/new", "d/x")
	s.want(501, "LOCK", "/dav/d/x", strings.Replace(lockBody, "exclusive", "shared", 1))
	s.want(400, "LOCK", "/dav/d/x", "") // a refresh of no lock
	s.want(400, "UNLOCK", "/dav/d/new", "", header{"Lock-Token", token})
}

func TestIfHeader(t *testing.T) {
	s := newServer(t, openMemory(t), "a", "b")
	e, err := s.v.Stat(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	// MKCOL changes nothing here, and is 405 once it gets so far.
	tag, token := `"`+e.Tag+`"`, s.lock("/dav/b")
	for _, c := range []struct {
		status int
		path   string
		value  string
	}{
		{405, "/dav/a", `([%[1]s])`},
		{412, "/dav/a", `(["other"])`},
		{405, "/dav/a", `(Not ["other"])`},
		{412, "/dav/a", `(Not [%[1]s])`},
		{405, "/dav/a", `(["other"]) ([%[1]s])`},
		{412, "/dav/a", `([%[1]s] ["other"])`},
		{412, "/dav/a", `(<DAV:no-lock>)`},
		{405, "/dav/a", `(Not <DAV:no-lock>)`},
		{412, "/dav/a", `(<%[2]s>)`}, // which is another file's
		{423, "/dav/b", `(Not <DAV:no-lock>)`},
		{405, "/dav/b", `(<%[2]s>)`},
		{423, "/dav/b", `<%[3]s/dav/a> ([%[1]s])`},
		{405, "/dav/a", `<%[3]s/dav/b> (<%[2]s>)`},
		{405, "/dav/b", `<%[3]s/dav/a> ([%[1]s]) <%[3]s/dav/b> (<%[2]s>)`},
		{405, "/dav/a", `</dav/b> (<%[2]s>)`}, // a path
		{412, "/dav/b", `</dav/a> (["other"])`},
		{412, "/dav/b", `<//elsewhere/dav/b> (<%[2]s>)`},
		{412, "/dav/b", `<http://elsewhere/dav/b> (<%[2]s>)`},
		{412, "/dav/a", `<%[3]s/v/a> ([%[1]s])`},
		{412, "/dav/a", `<%[3]s/dav/../a> ([%[1]s])`},
		{400, "/dav/a", `x`}, {400, "/dav/a", `(`}, {400, "/dav/a", `()`}, {400, "/dav/a", `(<`},
		{400, "/dav/a", `([")`}, {400, "/dav/a", `<a`}, {400, "/dav/a", `(Not)`},
		{400, "/dav/a", strings.Repeat("(", 50000)},
	} {
		value := c.value
		if strings.Contains(value, "%") {
			value = fmt.Sprintf(c.value+"%.0[1]s%.0[2]s%.0[3]s", tag, token, s.URL)
		}
		s.want(c.status, "MKCOL", c.path, "", header{"If", value})
	}
}

func TestTooManyLocks(t *testing.T) {
	s := newServer(t, openMemory(t))
	name := strings.Repeat("n", 60000)
	locked := 0
	for i := range 1000 {
		a, _ := s.do("LOCK", fmt.Sprintf("/dav/%d%s", i, name), lockBody)
		if a.StatusCode == http.StatusInsufficientStorage {
			break
		}
		locked++
	}
	if locked < 10 || locked > 200 {
		t.Errorf("%d locks were possible", locked)
	}
	s.want(201, "PUT", "/dav/a", "a")
}

// signalBody says when the first part of a body was read.
type signalBody struct {
	io.ReadCloser
	begun chan struct{}
	once  sync.Once
}

func (b *signalBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.once.Do(func() { close(b.begun) })
	return n, err
}

// TestLockMeanwhile locks a file while a PUT of another client is on its way.
func TestLockMeanwhile(t *testing.T) {
	s := newServer(t, openMemory(t), "a")
	var token string
	// Nothing waits for the slow client.
	got := s.slowPut("/dav/a", func() { token = s.lock("/dav/a") })
	if got != 423 {
		t.Errorf("the PUT is %d", got)
	}
	s.wantKeys("a")
	s.want(204, "PUT", "/dav/a", "new", ifHeader("(<%s>)", token))
}

// TestLockOfParent has the lock of a folder's own list bind what would add to it.
func TestLockOfParent(t *testing.T) {
	s := newServer(t, openMemory(t), "d/x")
	token := s.lock("/dav/d", header{"Depth", "0"})
	s.want(423, "MKCOL", "/dav/d/e", "")
	s.want(423, "LOCK", "/dav/d/new", lockBody)
	s.wantKeys("d/x")
	s.want(200, "LOCK", "/dav/d/x", lockBody)
	s.want(201, "MKCOL", "/dav/d/e", "", ifHeader("</dav/d> (<%s>)", token))
	s.want(201, "LOCK", "/dav/d/new", lockBody, ifHeader("</dav/d> (<%s>)", token))
	s.wantKeys("d/e/", "d/new=", "d/x")
}

func TestRefreshByPath(t *testing.T) {
	s := newServer(t, openMemory(t), "a", "d/x")
	token := s.lock("/dav/d")
	for _, value := range []string{"(<%s>)", "(%s)", "</dav/d> (<%s>)"} {
		s.want(412, "LOCK", "/dav/a", "", ifHeader(value, token))
		s.want(200, "LOCK", "/dav/d/x", "", ifHeader(value, token)) // which the lock protects
	}
}

// TestLockOwner bounds what a client says of itself.
func TestLockOwner(t *testing.T) {
	s := newServer(t, openMemory(t), "a")
	owner := func(n int) string {
		return strings.Replace(lockBody, "me &amp; you", strings.Repeat("o", n), 1)
	}
	text := s.want(400, "LOCK", "/dav/a", owner(4<<10))
	if !strings.Contains(text, "owner") {
		t.Errorf("the answer is %s", text)
	}
	s.want(400, "LOCK", "/dav/new", owner(4<<10))
	s.wantKeys("a")
	s.want(204, "PUT", "/dav/a", "a")
	s.want(200, "LOCK", "/dav/a", owner(4000))
}

// TestLockOfGrant keeps the token of a folder's lock from who may change a part of it alone.
func TestLockOfGrant(t *testing.T) {
	s := newServer(t, openMemory(t), "d/e/x", "d/x")
	token := s.lock("/dav/d")
	discovery := func() string {
		return s.propfind("/dav/d/e/x", "0", "")["/dav/d/e/x"]["lockdiscovery"]
	}
	unlock := header{"Lock-Token", "<" + token + ">"}
	if got := discovery(); !strings.Contains(got, token) {
		t.Errorf("lockdiscovery is %s, without %s", got, token)
	}
	s.grant = grantOf(access.Token{Prefix: "d/e/", Write: true})
	if got := discovery(); strings.Contains(got, token) || !strings.Contains(got, "/dav/d<") {
		t.Errorf("lockdiscovery is %s", got)
	}
	s.want(403, "UNLOCK", "/dav/d/e/x", "", unlock)
	s.want(409, "UNLOCK", "/dav/d/e/x", "", header{"Lock-Token", "<opaquelocktoken:other>"})
	s.grant = grantOf(access.Token{Prefix: "d/", Write: true})
	if got := discovery(); !strings.Contains(got, token) {
		t.Errorf("lockdiscovery is %s, without %s", got, token)
	}
	s.want(204, "UNLOCK", "/dav/d/e/x", "", unlock)
}
