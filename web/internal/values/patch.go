package values

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/transact"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// maxPatch is the most bytes of the body of a PATCH. JSON may write a byte of the user metadata, of
// which there may be 1 MiB, as six.
const maxPatch = 7 * kvault.MaxUserMetadata

// metadata is the body of a PATCH. What it leaves out stays. An empty content type means none, and
// an empty object no user metadata.
type metadata struct {
	ContentType *string           `json:"contentType"`
	ModTime     *time.Time        `json:"modTime"`
	User        map[string]string `json:"user"`
}

// patch changes the metadata of a value alone. The version that it makes has a new ETag.
func (h *Handler) patch(w http.ResponseWriter, r *http.Request, key string) {
	o, err := metadataOf(w, r, key)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	var e kvault.Entry
	err = h.change(r, key, func(t transact.Store, now kvault.Entry) (err error) {
		of := *o
		of.IfTag = onlyIf(t, now)
		e, err = t.SetMetadata(r.Context(), key, &of)
		return transact.Lost(err)
	})
	switch {
	case errors.Is(err, kvault.ErrInvalid), errors.Is(err, kvault.ErrTooLarge):
		wire.Fail(w, r, unfitMetadata(err))
	case err != nil:
		wire.Fail(w, r, err)
	default:
		stored(w, e, false)
	}
}

func metadataOf(
	w http.ResponseWriter, r *http.Request, key string,
) (*kvault.MetadataOptions, error) {
	if err := mayWrite(r, key); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPatch))
	b := &body{err: err}
	if err != nil {
		return nil, b.failure(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var m metadata
	if err := d.Decode(&m); err != nil {
		return nil, notMetadata(err)
	}
	// The decoder would put other characters in the place of what is not UTF-8.
	if _, err := d.Token(); err != io.EOF || !utf8.Valid(text) {
		return nil, notMetadata(err)
	}
	o := &kvault.MetadataOptions{User: m.User}
	if m.ContentType != nil {
		if o.ContentType = *m.ContentType; o.ContentType == "" {
			o.ContentType = kvault.NoContentType
		}
	}
	if m.ModTime != nil {
		if o.ModTime = *m.ModTime; o.ModTime.IsZero() { // which would mean to the vault that it stays
			return nil, unfitMetadata(nil)
		}
	}
	return o, nil
}

func notMetadata(err error) error {
	return &wire.Error{
		Status: http.StatusBadRequest, Cause: err,
		Text: `want a JSON object with any of "contentType", "modTime" (like 2006-01-02T15:04:05Z) ` +
			`and "user" (an object of texts)`,
	}
}

// unfitMetadata is the answer to metadata that the vault refuses.
func unfitMetadata(err error) error {
	return &wire.Error{
		Status: http.StatusBadRequest, Cause: err,
		Text: "the vault cannot store this metadata: a content type is printable text of at most " +
			"255 bytes, a time is in a year from 1678 to 2261, and user metadata has at most 1 MiB",
	}
}
