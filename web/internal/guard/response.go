package guard

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// response is the ResponseWriter of every request. It counts what goes out, keeps why the request
// failed, and holds the client to a least rate. It has no ReadFrom: values come from the vault in
// chunks, never from a file that the kernel could send by itself.
type response struct {
	w       http.ResponseWriter
	control *http.ResponseController
	out     pace
	body    *body // nil for a request without one
	status  int   // 0 until the header is written
	sent    int64
	cause   error // of an answer that tells of a failure
	broken  error // of a Write: the client has not got everything
}

func newResponse(w http.ResponseWriter, r *http.Request, stall time.Duration) *response {
	res := &response{w: w, control: http.NewResponseController(w)}
	timer := r.ProtoMajor > 1
	res.out.limit, res.out.left, res.out.timer = stall, stall, timer
	res.out.set = res.control.SetWriteDeadline
	if r.Body != nil && r.ContentLength != 0 { // HTTP/2 has a Body for requests without one too
		res.body = &body{ReadCloser: r.Body}
		in := &res.body.in
		in.limit, in.left, in.timer = stall, stall, timer
		in.set = res.control.SetReadDeadline
	}
	return res
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.w }

// Header returns the header that WriteHeader sends.
func (w *response) Header() http.Header { return w.w.Header() }

// WriteHeader sends the header, once.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.w.WriteHeader(status)
}

// Write sends p in pieces, so that the client only has to keep to the least rate, however large p
// is.
func (w *response) Write(p []byte) (n int, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	for {
		start := w.begin()
		m, err := w.w.Write(p[n:min(len(p), n+window)])
		w.end(start, m)
		w.sent += int64(m)
		if n += m; err != nil || n == len(p) {
			w.note(err)
			return n, err
		}
	}
}

// FlushError sends what net/http holds back.
func (w *response) FlushError() error {
	start := w.begin()
	err := w.control.Flush()
	w.end(start, 0)
	w.note(err)
	return err
}

// Failed keeps the cause of a failure for the log. It is what wire.Fail looks for.
func (w *response) Failed(cause error) { w.cause = cause }

func (w *response) note(err error) {
	switch {
	case err == nil || w.broken != nil:
	case errors.Is(err, http.ErrBodyNotAllowed), errors.Is(err, http.ErrNotSupported):
		// Nothing is missing from an answer without a body, such as that to HEAD.
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.broken = fmt.Errorf("the client took less than %d bytes in %v: %w", window, w.out.limit, err)
	default:
		w.broken = err
	}
}

// begin limits the time of a write. The first one may make net/http read the rest of the body. That
// has a limit of its own, which leaves time to write.
func (w *response) begin() time.Time {
	if w.body.unread() {
		w.body.in.extend(time.Now(), w.out.limit/4)
	}
	return w.out.begin()
}

func (w *response) end(start time.Time, n int) {
	w.out.end(start, n)
	if w.body.unread() {
		w.body.in.lift()
	}
}

// finish limits what net/http does when the handler has returned: it sends what it holds back, and
// reads the rest of the body. Both deadlines end with the request.
func (w *response) finish() {
	w.out.extend(time.Now(), w.out.limit)
	switch {
	case w.body.unread():
		w.body.in.extend(time.Now(), w.out.limit/4)
	case w.body != nil && w.body.failed.Load():
		w.body.in.expire() // the handler may have set another deadline
	}
}

// body is the body of a request. It counts what comes in, and holds the client to a least rate.
type body struct {
	io.ReadCloser
	in       pace
	received atomic.Int64
	ended    atomic.Bool // there is no more, or no more is to be had
	failed   atomic.Bool // what is left of it is not to be had
}

// unread reports whether the client may still send some of the body. The body may be nil.
func (b *body) unread() bool { return b != nil && !b.ended.Load() }

// Read reads some of the body. An error that is the client's is a *wire.Error, or one that package
// wire knows: tusd compares io.EOF and io.ErrUnexpectedEOF by identity.
func (b *body) Read(p []byte) (int, error) {
	start := b.in.begin()
	n, err := b.ReadCloser.Read(p)
	b.in.end(start, n)
	b.received.Add(int64(n))
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("the client sent less than %d bytes in %v: %w", window, b.in.limit, err)
	case err != io.EOF && err != io.ErrUnexpectedEOF && err != http.ErrBodyReadAfterClose:
		text := "the body broke off or is malformed"
		err = &wire.Error{Status: http.StatusBadRequest, Text: text, Cause: err}
	}
	b.ended.Store(true)
	if err == io.EOF {
		b.in.lift() // net/http now waits in a read of its own for the client to go away
	} else {
		b.failed.Store(true)
		b.in.expire()
	}
	return n, err
}
