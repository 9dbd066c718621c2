package values

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/stream"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// maxRanges is how many ranges a request may name. One that names more, which only costs the
// server, gets the whole value, as RFC 9110 14.2 permits, and so does one in another unit than
// bytes.
const maxRanges = 16

// attempts is how often Get opens a value that is replaced before its first byte is read.
const attempts = 10

// Get answers GET and HEAD with the value of key. It checks that the grant allows it. If the
// version goes, or proves damaged, while it is being sent, Get breaks the connection off, so that
// the client does not take a part for the whole.
func (h *Handler) Get(w http.ResponseWriter, r *http.Request, key string) {
	if !access.Of(r.Context()).Read(key) {
		wire.Fail(w, r, wire.Forbidden())
		return
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "script", "style", "worker", "sharedworker", "serviceworker", "xslt":
		// A stored value never becomes a part of a page that acts.
		wire.Fail(w, r, wire.Forbidden())
		return
	}
	ranges := strings.Join(r.Header.Values("Range"), ",")
	if strings.Count(ranges, ",") >= maxRanges || !strings.HasPrefix(ranges, "bytes=") ||
		r.Method == http.MethodHead { // RFC 9110 14.2: a range is for GET alone
		r.Header.Del("Range")
	}
	err := h.get(w, r, key)
	for i := 1; i < attempts && errors.Is(err, kvault.ErrTagMismatch); i++ {
		err = h.get(w, r, key)
	}
	if errors.Is(err, kvault.ErrTagMismatch) {
		err = &wire.Error{
			Status: http.StatusServiceUnavailable, Cause: err,
			Text: "the value changes too often to be read; try again",
		}
	}
	if errors.Is(err, stream.ErrOccupied) {
		err = &wire.Error{
			Status: http.StatusServiceUnavailable, Cause: err,
			Text: "several large values of other programs are being read; try again",
		}
	}
	if err != nil {
		fail(w, r, err)
	}
}

// get sends the value, or returns an error before it has sent anything.
func (h *Handler) get(w http.ResponseWriter, r *http.Request, key string) error {
	var e kvault.Entry
	var content io.ReadSeeker
	var value *stream.Value
	if r.Method == http.MethodHead {
		var err error
		if e, err = h.v.Stat(r.Context(), key); err != nil {
			return err
		}
		content = io.NewSectionReader(nil, 0, e.Size)
	} else {
		var err error
		if value, err = h.source.Open(r.Context(), key); err != nil {
			return err
		}
		defer value.Close()
		e, content = value.Entry, value
	}
	wire.DescribeValue(w.Header(), e, r.URL.Query().Has("download"))
	a := &answer{ResponseWriter: w, value: value, size: e.Size}
	http.ServeContent(a, r, "", e.ModTime, content)
	return a.end()
}

// answer is what ServeContent writes to. It sends the header with the first byte of the value, so
// that a value that cannot be read is answered with an error.
type answer struct {
	http.ResponseWriter
	value  *stream.Value
	size   int64
	status int
	sent   bool
	err    error // of reading the value
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader keeps the status until the first byte.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write sends the header and p. What ServeContent says in an error is left out: end says it.
func (a *answer) Write(p []byte) (int, error) {
	if a.status >= http.StatusBadRequest {
		return len(p), nil
	}
	a.send()
	return a.ResponseWriter.Write(p)
}

func (a *answer) send() {
	if !a.sent {
		a.sent = true
		a.ResponseWriter.WriteHeader(a.status)
	}
}

// ReadFrom sends what r reads, which ServeContent limits.
func (a *answer) ReadFrom(r io.Reader) (n int64, err error) {
	n, a.err, err = a.value.Copy(a, r, r.(*io.LimitedReader).N)
	return n, cmp.Or(err, a.err)
}

// end completes the answer, breaks it off, or returns what is wrong before any of it was sent.
func (a *answer) end() error {
	switch {
	case a.err != nil && a.sent:
		wire.BreakOff(a.ResponseWriter, a.err)
	case a.err != nil:
		return a.err
	case a.status == http.StatusRequestedRangeNotSatisfiable:
		return &rangeError{"the value has no such range", a.size}
	case a.status >= http.StatusBadRequest:
		return &wire.Error{Status: a.status, Text: errCondition.Text}
	default:
		a.send()
	}
	return nil
}
