package dav

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/webdav"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// codedURL is a URL in the header If: the token of a lock, or the path that a list is about.
var codedURL = regexp.MustCompile(`<([^<>]*)>`)

// tokens returns the URLs in the header If. A client that names the token of a lock has it.
func (q *request) tokens() map[string]bool {
	tokens := map[string]bool{}
	for _, found := range codedURL.FindAllStringSubmatch(q.r.Header.Get("If"), -1) {
		tokens[found[1]] = true
	}
	return tokens
}

// conditions returns an error unless the header If is true of s, or there is none. x/net/webdav
// parses the header within its own methods only. So it gets a DELETE here, in a file system that
// has nothing to delete, and asks evaluation for each list.
func (q *request) conditions(s store) error {
	if q.r.Header.Get("If") == "" {
		return nil
	}
	e := &evaluation{q: q, s: s}
	r := q.as(http.MethodDelete)
	// x/net/webdav wants URLs, where RFC 4918 has paths too.
	urls := strings.ReplaceAll(q.r.Header.Get("If"), "</", "<http://"+q.r.Host+"/")
	r.Header = http.Header{"If": {urls}}
	answer := &refused{ResponseWriter: q.w}
	(&webdav.Handler{FileSystem: nothing{}, LockSystem: e}).ServeHTTP(answer, r)
	switch {
	case e.err != nil:
		return e.err
	case e.met:
		return nil
	case answer.status == http.StatusBadRequest:
		return &wire.Error{Status: http.StatusBadRequest, Text: "the header If makes no sense"}
	}
	return &wire.Error{Status: http.StatusPreconditionFailed, Text: "the header If is not true"}
}

// evaluation is the part of a webdav.LockSystem that evaluates the header If.
type evaluation struct {
	free
	q   *request
	s   store
	met bool
	err error
}

// Confirm evaluates one list of the header, which is about one path. All its conditions must hold.
func (e *evaluation) Confirm(
	_ time.Time, about, _ string, list ...webdav.Condition,
) (func(), error) {
	name, _, err := nameOf(&url.URL{Path: about})
	if err != nil {
		return nil, webdav.ErrConfirmationFailed
	}
	for _, c := range list {
		holds := c.Token != "" && e.q.locks.holds(c.Token, name)
		if c.ETag != "" {
			n, err := e.q.find(e.s, name)
			if err != nil && !errors.Is(err, kvault.ErrNotFound) {
				e.err = err
				return nil, err
			}
			holds = n.found && !n.folder && wire.ETag(n.entry) == c.ETag
		}
		if holds == c.Not {
			return nil, webdav.ErrConfirmationFailed
		}
	}
	e.met = true
	return func() {}, nil
}

// free is a webdav.LockSystem for requests whose locks were checked before.
type free struct{}

// Confirm allows everything.
func (free) Confirm(time.Time, string, string, ...webdav.Condition) (func(), error) {
	return func() {}, nil
}

// Create allows everything.
func (free) Create(time.Time, webdav.LockDetails) (string, error) { return "free", nil }

// Refresh is not called.
func (free) Refresh(time.Time, string, time.Duration) (webdav.LockDetails, error) {
	return webdav.LockDetails{}, webdav.ErrNoSuchLock
}

// Unlock has nothing to do.
func (free) Unlock(time.Time, string) error { return nil }

// nothing is a webdav.FileSystem without files.
type nothing struct{}

// Mkdir fails.
func (nothing) Mkdir(context.Context, string, os.FileMode) error { return os.ErrPermission }

// OpenFile fails.
func (nothing) OpenFile(context.Context, string, int, os.FileMode) (webdav.File, error) {
	return nil, os.ErrNotExist
}

// RemoveAll fails.
func (nothing) RemoveAll(context.Context, string) error { return os.ErrPermission }

// Rename fails.
func (nothing) Rename(context.Context, string, string) error { return os.ErrPermission }

// Stat fails.
func (nothing) Stat(context.Context, string) (os.FileInfo, error) { return nil, os.ErrNotExist }
