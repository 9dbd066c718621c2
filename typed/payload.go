package typed

import (
	"bytes"
	"context"
	"errors"
	"io"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/kohakuvault/kvault"
)

// Payload reads the payload of one value in parts, as it was when it was opened. Its methods are
// those of an io.SectionReader. Close it when done.
type Payload struct {
	Info
	*io.SectionReader
	r *kvault.Reader
}

// Open opens the payload of key's value for reading in parts. It reads the header and no more. ctx
// bounds all reads.
func Open(ctx context.Context, r Reader, key string) (*Payload, error) {
	in, err := r.NewReader(ctx, key)
	if err != nil {
		return nil, err
	}
	p := &Payload{r: in}
	if err := p.open(); err != nil {
		return nil, errors.Join(keyed("open", key, err), in.Close())
	}
	return p, nil
}

func (p *Payload) open() error {
	head := make([]byte, min(HeaderSize, p.r.Size()))
	if _, err := p.r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	e, headed, err := ParseHeader(head)
	if err != nil {
		return err
	}
	start := int64(0)
	if headed {
		start = HeaderSize
	}
	p.Info = Info{Encoding: e, Headed: headed, Size: p.r.Size() - start, Entry: p.r.Entry()}
	p.SectionReader = io.NewSectionReader(p.r, start, p.Info.Size)
	return nil
}

// Size is the length of the payload in bytes.
func (p *Payload) Size() int64 { return p.Info.Size }

// Close releases the value. Closing twice is no error.
func (p *Payload) Close() error { return p.r.Close() }

// StreamWriter is a Writer that takes streams: a *kvault.Vault or a *kvault.Tx.
type StreamWriter interface {
	PutReader(ctx context.Context, key string, r io.Reader, o *kvault.PutOptions) (kvault.Entry, error)
}

var (
	_ StreamWriter = (*kvault.Vault)(nil)
	_ StreamWriter = (*kvault.Tx)(nil)
)

// PutReader stores what r gives under key as the payload of a value in the encoding e, one chunk in
// memory at a time. Text that is not UTF-8 is an error that matches ErrValue; payloads of other
// encodings are not looked into. Raw bytes get a header only if they need one. PutOptions.Size
// counts the bytes that r gives.
func PutReader(ctx context.Context, w StreamWriter, key string, e Encoding, r io.Reader, o *kvault.PutOptions) (kvault.Entry, error) {
	if !e.known() {
		return kvault.Entry{}, keyed("put", key, badValue(e, "there is no such encoding"))
	}
	r, headed, err := headedReader(e, r)
	if err != nil {
		return kvault.Entry{}, &kvault.Error{Op: "put", Key: key, Err: &kvault.IOError{Op: "read source", Err: err}}
	}
	if headed {
		o = withType(o)
		if o.Size > 0 || o.SizeKnown {
			o.Size, o.SizeKnown = o.Size+HeaderSize, true
		}
	}
	entry, err := w.PutReader(ctx, key, r, o)
	if errors.Is(err, encoding.ErrInvalidUTF8) {
		err = keyed("put", key, badValue(Text, "%w", errNotUTF8))
	}
	return entry, err
}

// headedReader puts a header before what r gives, if one is needed.
func headedReader(e Encoding, r io.Reader) (_ io.Reader, headed bool, err error) {
	if e == Text {
		r = transform.NewReader(r, encoding.UTF8Validator)
	}
	start := AppendHeader(nil, e)
	if e != Raw {
		return io.MultiReader(bytes.NewReader(start), r), true, nil
	}
	// Not io.ReadFull, which would hide that a source failed with io.ErrUnexpectedEOF of its own.
	head, err := io.ReadAll(io.LimitReader(r, HeaderSize))
	if err != nil {
		return nil, false, err
	}
	r = io.MultiReader(bytes.NewReader(head), r)
	if !looksHeaded(head) {
		return r, false, nil
	}
	return io.MultiReader(bytes.NewReader(start), r), true, nil
}
