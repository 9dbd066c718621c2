package values

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/web/internal/stream"
	"github.com/kohakuvault/kvault/web/internal/wire"
)

// contentRange is the header Content-Range of a PUT: the body is the bytes from first to last of a
// value that has total bytes then, or -1 if the client does not say.
type contentRange struct{ first, last, total int64 }

func contentRangeOf(text string) (c contentRange, err error) {
	unit, rest, _ := strings.Cut(text, " ")
	span, total, found := strings.Cut(rest, "/")
	first, last, foundLast := strings.Cut(span, "-")
	ok := strings.EqualFold(unit, "bytes") && found && foundLast
	number := func(s string) int64 {
		n, err := strconv.ParseUint(s, 10, 63)
		ok = ok && err == nil && n < math.MaxInt64
		return int64(n)
	}
	c = contentRange{first: number(first), last: number(last), total: -1}
	if total != "*" {
		c.total = number(total)
	}
	if !ok || c.first > c.last || c.total >= 0 && c.last >= c.total {
		err = badRequest(`Content-Range is not like "bytes 0-99/1000" or "bytes 0-99/*"`)
	}
	return c, err
}

// storeRange puts the body in the place of a part of the value, or appends it where the range
// begins at the end of the value; a key that is not there has the length 0. The result is a new
// version: the vault reads the whole old one, compares it with its checksum and stores it again,
// which takes as long as a PUT of the value. A resumable upload costs less for a value in parts.
// Content type and user metadata stay unless headers give others. If another client changes the
// value meanwhile, it is a conflict.
func (p *put) storeRange() error {
	c, err := contentRangeOf(p.header.Get("Content-Range"))
	if err == nil {
		err = p.fits(c)
	}
	if err != nil {
		return err
	}
	p.o.Size, p.o.SizeKnown = max(p.old.Size, c.last+1), true
	if p.exists {
		p.keepMetadata()
	}
	u, err := p.newUpload()
	if errors.Is(err, kvault.ErrUnsupported) {
		return p.conflict(p.storeAround(c))
	}
	if err != nil {
		return err
	}
	defer u.Abort(context.WithoutCancel(p.ctx))
	if p.exists {
		if err := p.copyAround(u, c); err != nil {
			return p.conflict(err)
		}
	}
	if err := p.storePart(u, c); err != nil {
		return err
	}
	p.entry, err = u.Publish(p.ctx, &kvault.PublishOptions{IfAbsent: !p.exists, IfTag: p.old.Tag})
	return p.conflict(err)
}

func (p *put) fits(c contentRange) error {
	switch after := max(p.old.Size, c.last+1); {
	case p.size >= 0 && p.size != c.last-c.first+1:
		return badRequest("the body is not as long as Content-Range says")
	case p.exists && p.old.Tag == "":
		return &wire.Error{Status: http.StatusConflict, Text: "another program wrote this value, " +
			"and it has no ETag: PUT the whole value, or give it one with PATCH"}
	case c.first > p.old.Size:
		return &rangeError{fmt.Sprintf("the range begins behind the %d bytes of the value", p.old.Size),
			p.old.Size}
	case c.total >= 0 && c.total != after:
		return &rangeError{fmt.Sprintf("the value would have %d bytes, not %d", after, c.total),
			p.old.Size}
	}
	return nil
}

func (p *put) keepMetadata() {
	switch {
	case p.o.ContentType != "":
	case p.old.ContentType != "":
		p.o.ContentType = p.old.ContentType
	default:
		p.o.ContentType = kvault.NoContentType
	}
	if p.o.User == nil {
		p.o.User = p.old.User
	}
}

// copyAround copies the bytes before and after the range. It reads those within it too: the
// checksum is of the whole value, and damage must not become part of a value with a right one.
func (p *put) copyAround(u *kvault.Upload, c contentRange) error {
	r, err := p.source.Open(p.ctx, p.key)
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Entry.Tag != p.old.Tag {
		return kvault.ErrTagMismatch
	}
	if _, err := u.ReadFrom(p.ctx, io.LimitReader(r, c.first), 0); err != nil {
		return err
	}
	if _, err, _ := r.Copy(io.Discard, r, min(c.last+1, p.old.Size)-c.first); err != nil {
		return err
	}
	_, err = u.ReadFrom(p.ctx, r, c.last+1)
	return err
}

// storeAround is storeRange for a store without uploads: the new version is written from its first
// byte to its last, with the body between the parts of the old one.
func (p *put) storeAround(c contentRange) error {
	p.o.ChunkSize, p.o.IfAbsent, p.o.IfTag = chunk, !p.exists, p.old.Tag
	w, err := p.v.NewWriter(p.ctx, p.key, p.o)
	if err != nil {
		return err
	}
	defer w.Abort()
	var old *stream.Value
	if p.exists {
		if old, err = p.source.Open(p.ctx, p.key); err != nil {
			return err
		}
		defer old.Close()
		if old.Entry.Tag != p.old.Tag {
			return kvault.ErrTagMismatch
		}
	}
	copied := func(to io.Writer, n int64) error {
		if n <= 0 || old == nil {
			return nil
		}
		_, reading, writing := old.Copy(to, old, n)
		return cmp.Or(reading, writing)
	}
	if err := copied(w, c.first); err != nil {
		return err
	}
	if err := p.writePart(w, c); err != nil {
		return err
	}
	// What the body replaces is read too, as copyAround does.
	if err := copied(io.Discard, min(c.last+1, p.old.Size)-c.first); err != nil {
		return err
	}
	if err := copied(w, p.old.Size-c.last-1); err != nil {
		return err
	}
	err = w.Close()
	p.entry = w.Entry()
	return err
}

// writePart writes the body, which must be as long as the range.
func (p *put) writePart(w io.Writer, c contentRange) error {
	length := c.last + 1 - c.first
	buf := make([]byte, 32<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(p.body, length), buf)
	if err != nil {
		return err
	}
	return p.ended(n, length)
}

// storePart stores the body, which must be as long as the range.
func (p *put) storePart(u *kvault.Upload, c contentRange) error {
	length := c.last + 1 - c.first
	n, err := u.ReadFrom(p.ctx, io.LimitReader(p.body, length), c.first)
	if err != nil {
		return err
	}
	return p.ended(n, length)
}

// ended fails unless the body is at its end after n bytes, which are to be length.
func (p *put) ended(n, length int64) error {
	more, err := io.CopyN(io.Discard, p.body, 1)
	if err != nil && err != io.EOF {
		return err
	}
	if n+more != length {
		return badRequest("the body is not as long as Content-Range says")
	}
	return nil
}

// conflict returns the answer to a range whose value was changed while it was being stored.
func (p *put) conflict(err error) error {
	if isChange(err) && p.c.none() {
		return &wire.Error{Status: http.StatusConflict, Cause: err,
			Text: "the value was changed meanwhile; ask for its length, and try again"}
	}
	return p.c.failure(err)
}
