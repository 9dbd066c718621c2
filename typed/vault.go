package typed

import (
	"context"
	"errors"

	"github.com/kohakuvault/kvault"
)

// Reader is what this package reads from: a *kvault.Vault or a *kvault.Tx.
type Reader interface {
	Get(ctx context.Context, key string) ([]byte, error)
	NewReader(ctx context.Context, key string) (*kvault.Reader, error)
}

// Writer is what this package writes to: a *kvault.Vault or a *kvault.Tx.
type Writer interface {
	PutWith(ctx context.Context, key string, value []byte, o *kvault.PutOptions) (kvault.Entry, error)
}

var (
	_ Reader = (*kvault.Vault)(nil)
	_ Reader = (*kvault.Tx)(nil)
	_ Writer = (*kvault.Vault)(nil)
	_ Writer = (*kvault.Tx)(nil)
)

// Get returns the value of key, decoded. The value is in memory as a whole; Open reads large ones
// in parts. Errors are those of the vault's Get, and those of Decode: they are a *kvault.Error with
// the key, too.
func Get(ctx context.Context, r Reader, key string) (Value, error) {
	b, err := r.Get(ctx, key)
	if err != nil {
		return Value{}, err
	}
	v, err := Decode(b)
	return v, keyed("get", key, err)
}

// Put encodes v as Encode does and stores it under key. The options are those of the vault; Size,
// if given, counts the stored bytes.
func Put(ctx context.Context, w Writer, key string, v any, o *kvault.PutOptions) (kvault.Entry, error) {
	b, err := Encode(v)
	return put(ctx, w, key, b, o, err)
}

// PutAs is Put in an encoding of the caller's choice, as EncodeAs does it.
func PutAs(ctx context.Context, w Writer, key string, e Encoding, v any, o *kvault.PutOptions) (kvault.Entry, error) {
	b, err := EncodeAs(e, v)
	return put(ctx, w, key, b, o, err)
}

func put(ctx context.Context, w Writer, key string, b []byte, o *kvault.PutOptions, err error) (kvault.Entry, error) {
	if err != nil {
		return kvault.Entry{}, keyed("put", key, err)
	}
	if looksHeaded(b) {
		o = withType(o)
	}
	return w.PutWith(ctx, key, b, o)
}

// withType keeps the key's extension from naming a type that the bytes do not have, because of
// their header.
func withType(o *kvault.PutOptions) *kvault.PutOptions {
	var c kvault.PutOptions
	if o != nil {
		c = *o
	}
	if c.ContentType == "" {
		c.ContentType = "application/octet-stream"
	}
	return &c
}

// Info says what kind of value a key has.
type Info struct {
	Encoding Encoding
	// Headed says that there is a header.
	Headed bool
	// Size is the length of the payload in bytes.
	Size int64
	// Entry is what the vault knows of the whole value.
	Entry kvault.Entry
}

// Stat returns what the header of key's value says. It reads those ten bytes and no more, however
// large the value is.
func Stat(ctx context.Context, r Reader, key string) (Info, error) {
	p, err := Open(ctx, r, key)
	if err != nil {
		return Info{}, err
	}
	return p.Info, p.Close()
}

func keyed(op, key string, err error) error {
	if err == nil {
		return nil
	}
	if keyed := (*kvault.Error)(nil); errors.As(err, &keyed) {
		return err
	}
	return &kvault.Error{Op: op, Key: key, Err: err}
}
