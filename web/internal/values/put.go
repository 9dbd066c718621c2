package values

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/stream"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// Put stores the body as the value of key. It checks that the grant allows it. The key has its old
// value until the whole body is there, and keeps it if the body breaks off.
//
// Content-Type is stored; without it, or with that of a form, the vault guesses. [wire.TimeHeader]
// gives the time of the value, and headers with [wire.UserPrefix] its user metadata. The answer has
// the ETag, and is 201 for a new key and 204 for one that had a value.
//
// With Content-Range the body takes the place of these bytes of the value, see storeRange.
func (h *Handler) Put(w http.ResponseWriter, r *http.Request, key string) {
	coding := r.Header.Get("Content-Encoding")
	if coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		wire.Fail(w, r, &wire.Error{
			Status: http.StatusUnsupportedMediaType,
			Text:   "a value is stored as it comes: send it without Content-Encoding",
		})
		return
	}
	p, err := h.newPut(r, key)
	if err == nil {
		select {
		case h.large <- struct{}{}:
			p.chunk = chunk
			err = p.body.failure(p.store())
			<-h.large
		default:
			err = p.body.failure(p.store())
		}
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	stored(w, p.entry, !p.exists)
}

// stored answers a request that has stored a version.
func stored(w http.ResponseWriter, e kvault.Entry, created bool) {
	if tag := wire.ETag(e); tag != "" {
		w.Header().Set("ETag", tag)
	}
	if created {
		w.WriteHeader(http.StatusCreated)
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
}

// put is a request that stores a value.
type put struct {
	v      *kvault.Vault
	source *stream.Source
	ctx    context.Context
	key    string
	header http.Header
	body   *body
	size   int64 // of the body, or -1
	chunk  int   // of a value that is stored in chunks
	o      *kvault.PutOptions
	c      conditions
	// old is the version at the start of the request, if exists. store makes entry of it.
	old, entry kvault.Entry
	exists     bool
}

// contentType is that of a body, or empty. What curl sends with --data unless it is told otherwise
// is the type of a form, which no value is.
func contentType(h http.Header) string {
	t := h.Get("Content-Type")
	if t == "application/x-www-form-urlencoded" {
		return ""
	}
	return t
}

// newPut reads the headers. What cannot succeed fails here, before the client has sent the body.
func (h *Handler) newPut(r *http.Request, key string) (*put, error) {
	if err := mayWrite(r, key); err != nil {
		return nil, err
	}
	p := &put{
		v: h.v, source: h.source, ctx: r.Context(), key: key, header: r.Header,
		body: &body{r: r.Body}, size: r.ContentLength, chunk: small,
		o: &kvault.PutOptions{ContentType: contentType(r.Header)},
	}
	var err error
	if len(p.o.ContentType) > kvault.MaxContentType {
		return nil, unfitMetadata(nil)
	}
	if p.o.ModTime, err = timeOf(r.Header); err != nil {
		return nil, err
	}
	if p.o.User, err = wire.UserOf(r.Header); err != nil {
		return nil, err
	}
	if p.c, err = conditionsOf(r.Header); err != nil {
		return nil, err
	}
	p.old, err = h.v.Stat(p.ctx, key)
	p.exists = err == nil
	if err != nil && !errors.Is(err, kvault.ErrNotFound) {
		return nil, err
	}
	return p, p.c.check(p.old, p.exists)
}

func timeOf(h http.Header) (time.Time, error) {
	text := h.Get(wire.TimeHeader)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err == nil && t.IsZero() { // which would mean the present time to the vault
		return t, unfitMetadata(nil)
	}
	if err != nil {
		err = &wire.Error{
			Status: http.StatusBadRequest,
			Text:   wire.TimeHeader + " is no time like 2006-01-02T15:04:05.999Z", Cause: err,
		}
	}
	return t, err
}

func (p *put) store() error {
	if p.header.Get("Content-Range") != "" {
		return p.storeRange()
	}
	if p.size >= 0 {
		p.o.Size, p.o.SizeKnown = p.size, true
	}
	var simple bool
	if p.o.IfAbsent, p.o.IfTag, simple = p.c.simple(); simple {
		return p.c.failure(p.storeWhole())
	}
	return p.storeConditional()
}

// A body that has stopped coming holds a chunk in memory. Chunks of 256 KiB are read and written as
// fast as those of 1 MiB, those of 64 KiB take half as long again (docs/performance/storage.md). So
// manyLarge bodies at once come in chunks of 256 KiB, and any more in small ones.
const (
	small     = 48 << 10
	chunk     = 256 << 10
	manyLarge = 32
)

// storeWhole streams the body into the vault.
func (p *put) storeWhole() (err error) {
	p.o.ChunkSize = p.chunk
	p.entry, err = p.v.PutReader(p.ctx, p.key, p.body, p.o)
	return err
}

// storeConditional stores the body first, and compares the conditions in the transaction that
// publishes it.
func (p *put) storeConditional() error {
	u, err := p.newUpload()
	if errors.Is(err, kvault.ErrUnsupported) {
		return p.storeOver()
	}
	if err != nil {
		return err
	}
	defer u.Abort(context.WithoutCancel(p.ctx))
	if _, err := u.ReadFrom(p.ctx, p.body, 0); err != nil {
		return err
	}
	return p.v.Update(p.ctx, func(t *kvault.Tx) error {
		now, err := t.Stat(p.ctx, p.key)
		if p.exists = err == nil; err != nil && !errors.Is(err, kvault.ErrNotFound) {
			return err
		}
		if err := p.c.check(now, p.exists); err != nil {
			return err
		}
		p.entry, err = t.PublishUpload(p.ctx, u, nil)
		return err
	})
}

// storeOver stores the body in the place of the version at the start of the request, for which the
// conditions held, and that alone: it is for stores without transactions. If another version is
// there by now, the conditions fail, or the client has to try again.
func (p *put) storeOver() error {
	p.o.IfAbsent, p.o.IfTag = !p.exists, p.old.Tag
	if p.exists && p.old.Tag == "" { // another program wrote it
		var err error
		if p.o.IfTag, err = p.v.Tag(p.ctx, p.key); err != nil {
			return err
		}
	}
	err := p.storeWhole()
	if !isChange(err) {
		return err
	}
	now, failed := p.v.Stat(p.ctx, p.key)
	if failed != nil && !errors.Is(failed, kvault.ErrNotFound) {
		return failed
	}
	if failed := p.c.check(now, failed == nil); failed != nil {
		return failed
	}
	return &wire.Error{Status: http.StatusConflict, Cause: err,
		Text: "the value was changed meanwhile; try again"}
}

// leftFor is how long the vault keeps the part of a value whose server died.
const leftFor = time.Hour

func (p *put) newUpload() (*kvault.Upload, error) {
	return p.v.NewUpload(p.ctx, p.key, &kvault.UploadOptions{
		Size: p.o.Size, SizeKnown: p.o.SizeKnown, ChunkSize: p.chunk, Expires: leftFor,
		ContentType: p.o.ContentType, ModTime: p.o.ModTime, User: p.o.User,
	})
}

// body is the body of a request. It keeps the error of reading it.
type body struct {
	r   io.Reader
	err error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// failure returns err for the client, whose doing it is if the body could not be read, or if the
// vault refuses what the headers say.
func (b *body) failure(err error) error {
	switch {
	case err == nil:
	case b.err != nil && wire.AsError(b.err).Status == http.StatusInternalServerError:
		return &wire.Error{Status: http.StatusBadRequest, Text: "the body broke off", Cause: err}
	case b.err != nil:
		return b.err
	case errors.Is(err, kvault.ErrInvalid):
		return unfitMetadata(err)
	}
	return err
}
