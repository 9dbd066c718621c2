package resume

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/kohakuvault/kvault/web/internal/wire"
)

// call is one request: what tusd does not hand on from the request to the store, and back from the
// store to the answer. It is the ResponseWriter of tusd, and changes its answers: errors to those
// of the other parts of the server, and Location to a path, which is right behind every proxy.
type call struct {
	http.ResponseWriter
	request *http.Request
	body    *body
	upload  *upload // that the URL names

	cause   error     // why the store failed
	expires time.Time // of the upload, unless it is published
	etag    string    // of the published value

	failed error            // the answer is this
	status int              // the answer is an error of tusd, with this status
	text   *strings.Builder // and this body
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

func newCall(w http.ResponseWriter, r *http.Request) *call {
	b := &body{ReadCloser: r.Body, conn: http.NewResponseController(w)}
	return &call{ResponseWriter: w, request: r, body: b, text: &strings.Builder{}}
}

// fail makes err the answer. Nothing of another one may have been sent.
func (c *call) fail(err error) { c.failed = err }

// refuse returns err as tusd sends it.
func (c *call) refuse(err error) error {
	if known := (handler.Error{}); errors.As(err, &known) {
		return known
	}
	c.cause = err
	e := wire.AsError(err)
	return handler.NewError("ERR_VAULT", e.Text, e.Status)
}

// SetReadDeadline does nothing: the part of the server that serves all requests sets deadlines, and
// tusd's would outlive the request.
func (c *call) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, as SetReadDeadline.
func (c *call) SetWriteDeadline(time.Time) error { return nil }

// WriteHeader sends the header of an answer that is no error.
func (c *call) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		c.status = status
		return
	}
	h := c.Header()
	if url := h.Get("Location"); url != "" {
		h.Set("Location", Mount+url[strings.LastIndexByte(url, '/')+1:])
	}
	if extensions := h.Get("Tus-Extension"); extensions != "" {
		h.Set("Tus-Extension", extensions+",expiration")
	}
	h.Del("Upload-Expires") // of a 104 before
	if !c.expires.IsZero() {
		h.Set("Upload-Expires", c.expires.UTC().Format(http.TimeFormat))
	}
	if c.etag != "" {
		h.Set("ETag", c.etag)
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write collects the text of an error. tusd sends no other body.
func (c *call) Write(p []byte) (int, error) { return c.text.Write(p) }

// Errors of tusd with another status and text. Clients go on after 409 and 503, but not after 400.
var answers = map[string]wire.Error{
	handler.ErrInvalidContentType.ErrorCode: {Status: http.StatusUnsupportedMediaType,
		Text: "the body of a PATCH is application/offset+octet-stream in tus, " +
			"and application/partial-upload in the draft"},
	handler.ErrUploadInterrupted.ErrorCode: {Status: http.StatusConflict,
		Text: "another request for the upload interrupted this one"},
	handler.ErrReadTimeout.ErrorCode: {Status: http.StatusServiceUnavailable,
		Text: "the body came too slowly; what came is stored"},
	// What tusd has no error for is what it cannot read of the request.
	"ERR_INTERNAL_SERVER_ERROR": {Status: http.StatusBadRequest,
		Text: "the request is not understood, or broke off"},
}

// finish sends the error, if the answer is one.
func (c *call) finish(r *http.Request) {
	if c.failed == nil && c.status == 0 {
		return
	}
	if c.failed == nil {
		c.failed = c.errorOfTusd()
	}
	wire.Fail(c.ResponseWriter, r, c.failed)
}

func (c *call) errorOfTusd() *wire.Error {
	code, text, _ := strings.Cut(strings.TrimSpace(c.text.String()), ": ")
	if code == handler.ErrUnsupportedVersion.ErrorCode {
		c.Header().Set("Tus-Version", "1.0.0")
	}
	a, ok := answers[code]
	if !ok {
		a = wire.Error{Status: c.status, Text: text}
	}
	a.Cause = cmp.Or(c.cause, c.body.failure)
	return &a
}

// body is the body of a request, whose reading can be interrupted.
type body struct {
	io.ReadCloser
	conn *http.ResponseController

	mu      sync.Mutex
	reading bool
	cause   error // of the interruption
	failure error // of a Read
}

// Read reads from the body. If it was interrupted, that is the error.
func (b *body) Read(p []byte) (int, error) {
	if cause := b.set(true); cause != nil {
		b.shut()
		return 0, cause
	}
	n, err := b.ReadCloser.Read(p)
	cause := b.set(false)
	if err == nil || err == io.EOF {
		return n, err
	}
	b.shut()
	if cause != nil {
		return n, cause
	}
	b.failure = err
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = handler.ErrReadTimeout // tusd knows it only unwrapped
	}
	return n, err
}

// set says whether a Read runs, and returns the cause of an interruption. None runs after that.
func (b *body) set(reading bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = reading && b.cause == nil
	return b.cause
}

// shut closes the body, without waiting for what is left of it. The server would wait for that
// before it answers.
func (b *body) shut() {
	b.conn.SetReadDeadline(time.Now())
	b.ReadCloser.Close()
}

// interrupt makes the running Read, and otherwise the next, fail with cause. It sets no deadline
// unless a Read runs: the connection can serve another request by now, and HTTP/2 would panic.
func (b *body) interrupt(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cause = cmp.Or(b.cause, cause)
	if b.reading {
		b.conn.SetReadDeadline(time.Now())
		// The Read may be about to set a deadline of its own.
		time.AfterFunc(100*time.Millisecond, func() { b.interrupt(cause) })
	}
}
