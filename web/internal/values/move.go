package values

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// move answers COPY and MOVE, as RFC 4918 has them: the header Destination names the new key, as an
// absolute URL of this server or as a path, and Overwrite: F says that it must not have a value.
// The conditions are about the value that is copied or moved, which keeps its metadata, and its
// ETag if it is moved.
func (h *Handler) move(w http.ResponseWriter, r *http.Request, key string) {
	to, err := h.destination(r, key)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	var e kvault.Entry
	var created bool
	noReplace := r.Header.Get("Overwrite") == "F"
	err = h.change(r, key, func(t transact.Store, now kvault.Entry) error {
		exists, err := t.Exists(r.Context(), to)
		if err != nil {
			return err
		}
		created = !exists
		if r.Method == "COPY" {
			e, err = t.Copy(r.Context(), key, to,
				&kvault.CopyOptions{NoReplace: noReplace, IfTag: onlyIf(t, now)})
			return transact.Lost(err)
		}
		e = now
		return transact.Lost(t.Rename(r.Context(), key, to,
			&kvault.RenameOptions{NoReplace: noReplace, IfTag: onlyIf(t, now)}))
	})
	switch {
	case errors.Is(err, kvault.ErrExists):
		wire.Fail(w, r, &wire.Error{
			Status: http.StatusPreconditionFailed, Text: "the destination has a value already", Cause: err,
		})
	case err != nil:
		wire.Fail(w, r, err)
	default:
		if created {
			w.Header().Set("Location", wire.PathOf(Mount, to))
		}
		stored(w, e, created)
	}
}

// destination returns the key that a value is to be copied or moved to, if the grant allows that.
func (h *Handler) destination(r *http.Request, from string) (string, error) {
	grant := access.Of(r.Context())
	if !grant.Read(from) || r.Method == "MOVE" && !grant.Write(from) {
		return "", wire.Forbidden()
	}
	if o := r.Header.Get("Overwrite"); o != "" && o != "T" && o != "F" {
		return "", badRequest("Overwrite is neither T nor F")
	}
	if len(r.Header.Values("Destination")) != 1 || r.Header.Get("Destination") == "" {
		return "", badRequest("want one header Destination, with the URL of the new key")
	}
	u, err := url.Parse(r.Header.Get("Destination"))
	switch {
	case err != nil:
		return "", badRequest("Destination is no URL")
	case u.Host == "" && u.Scheme == "" && strings.HasPrefix(u.Path, "/"):
	case !strings.EqualFold(u.Host, r.Host), u.User != nil, u.Scheme != "http" && u.Scheme != "https":
		return "", &wire.Error{Status: http.StatusBadGateway, Text: "Destination is on another server"}
	}
	isDots := func(s string) bool { return s == "." || s == ".." }
	if slices.ContainsFunc(strings.Split(u.Path, "/"), isDots) {
		return "", badRequest(`Destination has a segment "." or "..", which programs resolve: ` +
			"write such a key as " + Mount + "?key=")
	}
	to, err := wire.KeyOf(u, Mount)
	switch {
	case err != nil:
		return "", err
	case !grant.Write(to):
		return "", wire.Forbidden()
	case to == from:
		return "", &wire.Error{Status: http.StatusForbidden, Text: "Destination is the same key"}
	}
	return to, nil
}
