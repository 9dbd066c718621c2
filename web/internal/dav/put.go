package dav

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/values"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// put stores a file. Its locks are looked at twice: before the body is read, and between the body's
// end and the moment that the value is in the vault. Meanwhile nothing is held, however slow the
// client is, so it can refresh its own lock, or try again after a connection that died.
func (q *request) put() error {
	var n node
	var unmet error // the condition of the request that does not hold for n
	err := transact.View(q.r.Context(), q.v, func(t transact.Store) (err error) {
		n, err = q.look(t, q.name)
		unmet = q.conditions(t)
		return err
	})
	switch {
	case err != nil:
		return err
	case !q.grant.Write(q.name) && !(n.folder && q.visible(n)):
		return wire.Forbidden()
	case n.folder || q.slash:
		q.w.Header().Set("Allow", methods)
		return errFolder
	}
	claims := []claim{{name: q.name}}
	if !n.found {
		claims = append(claims, claim{name: path.Dir(q.name)})
		if err := q.wantParent(q.v, q.name); err != nil {
			return err
		}
	}
	if unmet == nil {
		unmet = values.Holds(q.r.Header, n.entry, n.found)
	}
	if unmet != nil {
		return unmet
	}
	tokens := q.tokens()
	if err := q.locks.check(tokens, claims...); err != nil {
		return err
	}
	r := q.r.WithContext(q.r.Context())
	r.Header = r.Header.Clone()
	if err := ownHeaders(q.w, r); err != nil {
		return err
	}
	if keepProperties(r.Header, n.entry.User) || strings.Contains(r.Header.Get("If"), "[") {
		pin(r.Header, n)
	}
	body := &lockedBody{ReadCloser: r.Body, l: q.locks, tokens: tokens, claims: claims}
	defer body.release()
	r.Body = body
	q.values.Put(q.w, r, q.name)
	return nil
}

var errFolder = &wire.Error{
	Status: http.StatusMethodNotAllowed, Text: "this is the path of a folder: MKCOL makes one",
}

// ownHeaders translates the headers of some clients. Finder says how long a body in chunks is going
// to be, rclone and Nextcloud's clients which time a file has.
func ownHeaders(w http.ResponseWriter, r *http.Request) error {
	if s := r.Header.Get("X-Expected-Entity-Length"); s != "" && r.ContentLength < 0 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return &wire.Error{
				Status: http.StatusBadRequest, Text: "X-Expected-Entity-Length is no length",
				Cause: err,
			}
		}
		r.ContentLength = n
	}
	if s := r.Header.Get("X-OC-Mtime"); s != "" {
		t, ok := unixTime(s)
		if !ok {
			return &wire.Error{
				Status: http.StatusBadRequest, Text: "X-OC-Mtime is no number of seconds",
			}
		}
		r.Header.Set(wire.TimeHeader, t.UTC().Format(time.RFC3339Nano))
		w.Header().Set("X-OC-Mtime", "accepted")
	}
	return nil
}

// pin adds to the conditions of a PUT, which hold for n, that the file is still n once its body is
// there. A file that another program wrote has no ETag to compare.
func pin(h http.Header, n node) {
	if tag := wire.ETag(n.entry); tag != "" {
		h.Set("If-Match", tag)
	} else if !n.found {
		h.Set("If-None-Match", "*")
	}
}

// keepProperties adds the properties that a file has to the user metadata of its next version,
// unless the client gives metadata itself, and reports whether there are any. RFC 4918 9.7.1 has a
// PUT leave them alone.
func keepProperties(h http.Header, user map[string]string) (kept bool) {
	for name := range h {
		if strings.HasPrefix(name, wire.UserPrefix) {
			return false
		}
	}
	for name, value := range user {
		if isDead(name) {
			// In the name of a header, capital letters mean nothing.
			h[wire.UserPrefix+percentEncoded(name)] = []string{percentEncoded(value)}
			kept = true
		}
	}
	return kept
}

func percentEncoded(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

// lockedBody is the body of a PUT. It does not end before the locks were looked at again.
type lockedBody struct {
	io.ReadCloser
	l      *locks
	tokens map[string]bool
	claims []claim
	held   bool
	err    error // that the file is locked
}

// Read reads from the body, and at its end takes what keeps others from locking it. If another
// client has locked it since the request began, the body ends with an error, and values.Put stores
// nothing.
func (b *lockedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if err != io.EOF || b.held {
		return n, err
	}
	b.l.commits.RLock()
	b.held = true
	if b.err = b.l.check(b.tokens, b.claims...); b.err != nil {
		return n, b.err
	}
	return n, io.EOF
}

// release lets others lock it.
func (b *lockedBody) release() {
	if b.held {
		b.l.commits.RUnlock()
	}
}
