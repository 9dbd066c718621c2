package resume

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/access"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// What an upload remembers beside the metadata of its value, as entries of its user metadata. They
// are removed when it is published.
const (
	ownPrefix   = "tus."
	ownMetadata = ownPrefix + "metadata" // Upload-Metadata
	ownIfAbsent = ownPrefix + "if-none-match"
	ownIfTag    = ownPrefix + "if-match"
)

// NewUpload starts an upload.
func (s *store) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	c := callOf(ctx)
	u, err := s.create(ctx, c.request, info)
	if err != nil {
		return nil, c.refuse(err)
	}
	return &upload{h: s.h, u: u}, nil
}

func (s *store) create(
	ctx context.Context, r *http.Request, info handler.FileInfo,
) (*kvault.Upload, error) {
	key, err := keyOf(r, info.MetaData)
	if err != nil {
		return nil, err
	}
	if !access.Of(ctx).Write(key) {
		return nil, wire.Forbidden()
	}
	if err := s.h.checkSize(info.Size); err != nil {
		return nil, err
	}
	o, err := optionsOf(r, info)
	if err != nil {
		return nil, err
	}
	o.Expires = s.h.o.Expires
	p, err := conditionsOf(r.Header)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, key, p); err != nil {
		return nil, err
	}
	if p.IfAbsent {
		o.User[ownIfAbsent] = "*"
	}
	if p.IfTag != "" {
		o.User[ownIfTag] = p.IfTag
	}
	u, err := s.h.v.NewUpload(ctx, key, o)
	if errors.Is(err, kvault.ErrUnsupported) {
		err = &wire.Error{Status: http.StatusNotImplemented, Cause: err,
			Text: "this vault keeps no uploads that break off: PUT the value to /v/KEY in one go"}
	}
	return u, err
}

// keyOf returns the key that a request to create an upload is for.
func keyOf(r *http.Request, meta handler.MetaData) (string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if strings.TrimSuffix(r.URL.EscapedPath(), "/")+"/" != Mount || query.Has("key") || err != nil {
		return wire.KeyOf(r.URL, Mount)
	}
	if key := meta["key"]; key != "" {
		return key, nil
	}
	if key := meta["filename"]; key != "" {
		return key, nil
	}
	return "", bad(`the request names no key: put it into the URL, or into the metadata "key"`)
}

func bad(text string) error { return &wire.Error{Status: http.StatusBadRequest, Text: text} }

// optionsOf returns what a request to create an upload says of the value.
func optionsOf(r *http.Request, info handler.FileInfo) (*kvault.UploadOptions, error) {
	o := &kvault.UploadOptions{
		Size: info.Size, SizeKnown: !info.SizeIsDeferred,
		ContentType: info.MetaData["filetype"], User: map[string]string{},
	}
	if s := r.Header.Get(wire.TimeHeader); s != "" {
		var err error
		if o.ModTime, err = time.Parse(time.RFC3339, s); err != nil || o.ModTime.IsZero() {
			return nil, bad(wire.TimeHeader + " is no time like 2006-01-02T15:04:05.999Z")
		}
	}
	user, err := wire.UserOf(r.Header)
	if err != nil {
		return nil, err
	}
	for name, value := range user {
		if strings.HasPrefix(name, ownPrefix) {
			return nil, bad(`names of user metadata of an upload cannot begin with "` + ownPrefix + `"`)
		}
		o.User[name] = value
	}
	if len(info.MetaData) > 0 {
		o.User[ownMetadata] = handler.SerializeMetadataHeader(info.MetaData)
	}
	return o, nil
}

// conditionsOf returns the conditions on which the value may be stored.
func conditionsOf(h http.Header) (p kvault.PublishOptions, err error) {
	if s := h.Get("If-None-Match"); s != "" {
		if p.IfAbsent = s == "*"; !p.IfAbsent {
			return p, bad("If-None-Match of an upload can only be *")
		}
	}
	if s := h.Get("If-Match"); s != "" {
		tag, opened := strings.CutPrefix(s, `"`)
		tag, closed := strings.CutSuffix(tag, `"`)
		if !opened || !closed || tag == "" || strings.Contains(tag, `"`) || p.IfAbsent {
			return p, bad("If-Match of an upload can only be one strong entity tag, " +
				"without If-None-Match")
		}
		p.IfTag = tag
	}
	return p, nil
}

// check fails if a condition does not hold now, before the client sends all bytes in vain. It
// counts again when the upload is published.
func (s *store) check(ctx context.Context, key string, p kvault.PublishOptions) error {
	if !p.IfAbsent && p.IfTag == "" {
		return nil
	}
	e, err := s.h.v.Stat(ctx, key)
	switch {
	case errors.Is(err, kvault.ErrNotFound):
		if p.IfTag != "" {
			return kvault.ErrTagMismatch
		}
		return nil
	case err != nil:
		return err
	case p.IfAbsent:
		return kvault.ErrExists
	case e.Tag != "" && e.Tag != p.IfTag: // a version without one is compared by its bytes
		return kvault.ErrTagMismatch
	}
	return nil
}

func (h *Handler) checkSize(size int64) error {
	if h.o.MaxSize > 0 && size > h.o.MaxSize {
		return handler.ErrMaxSizeExceeded
	}
	return nil
}
