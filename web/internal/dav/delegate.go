package dav

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/webdav"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// delegate has x/net/webdav answer MKCOL, PROPPATCH, LOCK and UNLOCK. The request is its file
// system, and checks grants and locks in the methods that change something.
func (q *request) delegate() error {
	body, err := xmlBody(q.w, q.r)
	if err != nil {
		return err
	}
	var system webdav.LockSystem = free{}
	r := q.as(q.r.Method)
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch {
	case q.r.Method == "MKCOL" && len(body) > 0:
		return &wire.Error{Status: http.StatusUnsupportedMediaType, Text: "MKCOL takes no body"}
	case q.r.Method == "LOCK", q.r.Method == "UNLOCK":
		system = pathLocks{q.locks, q.name}
		if err := q.mayLock(r); err != nil {
			return err
		}
	case !q.grant.WritePrefix(prefixOf(q.name)):
		return wire.Forbidden()
	}
	if q.r.Method != "LOCK" || len(body) > 0 { // of a refresh, If names the lock alone
		if err := q.conditions(q.v); err != nil {
			return err
		}
		r.Header.Del("If") // x/net/webdav would refuse the paths in it
	}
	var cause error
	answer := &refused{ResponseWriter: q.w}
	h := webdav.Handler{
		FileSystem: fileSystem{q}, LockSystem: system,
		Logger: func(_ *http.Request, err error) { cause = err },
	}
	h.ServeHTTP(answer, r)
	var e *wire.Error
	switch {
	case answer.status == 0:
		return nil
	case errors.As(cause, &e):
		return e
	}
	text := strings.ToLower(webdav.StatusText(answer.status))
	return &wire.Error{Status: answer.status, Text: text, Cause: cause}
}

// mayLock checks whether the request may lock or unlock its path, and for how long.
func (q *request) mayLock(r *http.Request) error {
	if !q.grant.WritePrefix(prefixOf(q.name)) {
		return wire.Forbidden()
	}
	if q.r.Method == "UNLOCK" {
		token := strings.Trim(r.Header.Get("Lock-Token"), "<>")
		k, ok := q.locks.discover(q.name)
		switch {
		case !ok || k.token != token:
			return &wire.Error{
				Status: http.StatusConflict, Text: "there is no such lock on this path",
			}
		case !q.mayEnd(k):
			return wire.Forbidden()
		}
		return nil
	}
	// The answer has the timeout that x/net/webdav reads, and the root as it is in the path.
	r.URL.Path = hrefOf(q.name, false)
	seconds := int64(longestLock / time.Second)
	first, _, _ := strings.Cut(r.Header.Get("Timeout"), ",")
	asked, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(first), "Second-"), 10, 64)
	if err == nil {
		seconds = min(max(asked, 1), seconds)
	}
	r.Header.Set("Timeout", "Second-"+strconv.FormatInt(seconds, 10))
	return nil
}

// mayEnd reports whether the grant lets the request write all that a lock protects.
func (q *request) mayEnd(k lock) bool { return q.grant.WritePrefix(prefixOf(k.name)) }

// pathLocks are the locks that a request for name sees.
type pathLocks struct {
	*locks
	name string
}

// Refresh has a lock last for d from now on, if it protects the name.
func (l pathLocks) Refresh(
	now time.Time, token string, d time.Duration,
) (webdav.LockDetails, error) {
	if !l.holds(token, l.name) {
		return webdav.LockDetails{}, webdav.ErrNoSuchLock
	}
	return l.locks.Refresh(now, token, d)
}

// refused passes an answer on, but keeps the status of one that is an error.
type refused struct {
	http.ResponseWriter
	status int
}

// WriteHeader keeps the status of an error, and sends any other.
func (a *refused) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		a.status = status
		return
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write drops the text of an error.
func (a *refused) Write(p []byte) (int, error) {
	if a.status != 0 {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *refused) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// as returns a request of another method for the same name, without a body.
func (q *request) as(method string) *http.Request {
	r := q.r.Clone(q.r.Context())
	r.Method, r.Body, r.ContentLength = method, http.NoBody, 0
	r.URL = &url.URL{Path: Mount}
	if q.name != "." {
		r.URL.Path += q.name
	}
	return r
}
