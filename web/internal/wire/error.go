package wire

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// Error is an answer to a request that cannot be met. Text is for the client: it tells nothing of
// the server's files.
type Error struct {
	Status int
	Text   string
	// Cause is for the log alone, and may be nil.
	Cause error
}

// Error returns the text for the client.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

var statuses = []struct {
	err    error
	status int
	text   string
}{
	{kvault.ErrNotFound, http.StatusNotFound, "there is no such key"},
	{kvault.ErrNoUpload, http.StatusNotFound,
		"there is no such upload: it was published or aborted, or has expired"},
	{kvault.ErrExists, http.StatusPreconditionFailed, "the key exists already"},
	{kvault.ErrTagMismatch, http.StatusPreconditionFailed, "the value was changed meanwhile"},
	{kvault.ErrInvalid, http.StatusBadRequest, "the request makes no sense"},
	{kvault.ErrTooLarge, http.StatusRequestEntityTooLarge, "the key or the value is too large"},
	{kvault.ErrReadOnly, http.StatusForbidden, "the vault is read-only"},
	{kvault.ErrBusy, http.StatusServiceUnavailable, "the vault is busy; try again"},
	{engine.ErrConflict, http.StatusServiceUnavailable, "others changed the same; try again"},
	{engine.ErrUnknown, http.StatusGatewayTimeout,
		"it is not known whether this took effect: look before you try again"},
	{kvault.ErrClosed, http.StatusServiceUnavailable, "the server is about to stop"},
	{kvault.ErrUnsupported, http.StatusNotImplemented, "this vault cannot do that"},
	{kvault.ErrCorrupt, http.StatusInternalServerError, "the value is damaged"},
	{context.Canceled, http.StatusServiceUnavailable, "the request was cut off"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "the request took too long"},
	{io.ErrUnexpectedEOF, http.StatusBadRequest, "the body is shorter than announced"},
	{os.ErrDeadlineExceeded, http.StatusRequestTimeout, "the body came too slowly"},
}

// AsError returns what err is for a client: an *Error as it is, an error of the vault by its kind,
// anything else as an internal error whose text tells nothing.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &Error{http.StatusRequestEntityTooLarge, "the body is longer than the " +
			strconv.FormatInt(tooLarge.Limit, 10) + " bytes that this server takes", err}
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return &Error{s.status, s.text, err}
		}
	}
	return &Error{http.StatusInternalServerError, "the server failed; its log says why", err}
}

// Failure is what keeps the cause of a failed request for the log. The ResponseWriter of package
// guard is one.
type Failure interface{ Failed(cause error) }

// Fail answers with err as a JSON object with the field "error", and hands its cause to the log.
// Nothing of the answer may have been sent. The answer to HEAD has no body.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	e := AsError(err)
	Note(w, err)
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range",
		"Content-Disposition", "ETag", "Last-Modified", "Accept-Ranges"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		json.NewEncoder(w).Encode(map[string]string{"error": e.Text}) // an error here is the client's
	}
}

// Note hands the cause of a failed request to the log.
func Note(w http.ResponseWriter, err error) {
	for {
		if f, ok := w.(Failure); ok {
			f.Failed(err)
			return
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = u.Unwrap()
	}
}

// Forbidden is the answer to a request that the grant does not allow.
func Forbidden() error {
	return &Error{Status: http.StatusForbidden,
		Text: "that is not allowed here: the server is read-only, or the token is for less"}
}
