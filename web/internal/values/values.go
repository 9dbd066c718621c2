// Package values serves the value of a key: GET and HEAD with ranges and conditions, PUT, DELETE,
// COPY, MOVE, and PATCH for its metadata.
//
// A version of a value is its ETag, which is strong: two answers with one ETag have the same bytes
// and the same metadata. If-Match, If-None-Match and If-Unmodified-Since hold for every method, and
// at the moment of the change, not only at the start of the request. Values that other programs
// wrote have no ETag until their metadata is changed.
package values

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/stream"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Mount is where New's handler serves.
const Mount = "/v/"

// Handler serves the values of a vault. It is safe for concurrent use.
type Handler struct {
	v      *kvault.Vault
	source *stream.Source
	large  chan struct{} // has an element for each body that comes in large chunks
}

// New returns a Handler for requests below Mount.
func New(v *kvault.Vault) *Handler {
	return &Handler{v, stream.NewSource(v), make(chan struct{}, manyLarge)}
}

const methods = "GET, HEAD, PUT, PATCH, DELETE, COPY, MOVE, OPTIONS"

// ServeHTTP answers a request for a path below Mount.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var serve func(http.ResponseWriter, *http.Request, string)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		serve = h.Get
	case http.MethodPut:
		serve = h.Put
	case http.MethodPatch:
		serve = h.patch
	case http.MethodDelete:
		serve = h.remove
	case "COPY", "MOVE":
		serve = h.move
	default:
		w.Header().Set("Allow", methods)
		wire.Fail(w, r, &wire.Error{
			Status: http.StatusMethodNotAllowed, Text: "a value takes " + methods,
		})
		return
	}
	key, err := wire.KeyOf(r.URL, Mount)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	serve(w, r, key)
}

// remove answers DELETE.
func (h *Handler) remove(w http.ResponseWriter, r *http.Request, key string) {
	err := mayWrite(r, key)
	if err == nil {
		err = h.change(r, key, func(t transact.Store, e kvault.Entry) error {
			return transact.Delete(r.Context(), t, e)
		})
	}
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func mayWrite(r *http.Request, key string) error {
	if !access.Of(r.Context()).Write(key) {
		return wire.Forbidden()
	}
	return nil
}

func badRequest(text string) error { return &wire.Error{Status: http.StatusBadRequest, Text: text} }

// rangeError says that a range does not fit the value, which has size bytes.
type rangeError struct {
	text string
	size int64
}

func (e *rangeError) Error() string { return e.text }

// fail answers with err. With the answer to a range goes the size of the value.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	var outside *rangeError
	if errors.As(err, &outside) {
		err = &wire.Error{Status: http.StatusRequestedRangeNotSatisfiable, Text: outside.text}
		w = withSize{w, outside.size}
	}
	wire.Fail(w, r, err)
}

// withSize adds the size of the value to the header.
type withSize struct {
	http.ResponseWriter
	size int64
}

// Unwrap is for http.ResponseController.
func (w withSize) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the header.
func (w withSize) WriteHeader(status int) {
	w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(w.size, 10))
	w.ResponseWriter.WriteHeader(status)
}
