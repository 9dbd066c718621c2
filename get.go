package kvault

import (
	"context"
	"errors"
	"io"

	"github.com/kohakuvault/kvault/engine"
)

// Get returns a copy of the value of key, which is nil only if there is an error. A missing key is
// ErrNotFound, and a value that does not match its checksum ErrCorrupt.
func (v *Vault) Get(ctx context.Context, key string) ([]byte, error) { return get(ctx, v, key) }

// AppendValue appends the value of key to dst and returns the extended slice. It is Get for a
// caller who has the memory already, which saves allocating and collecting it; reuse it as
// value[:0]. On an error it returns dst, whose bytes between length and capacity may have changed.
func (v *Vault) AppendValue(ctx context.Context, dst []byte, key string) ([]byte, error) {
	return appendValue(ctx, v, dst, key)
}

// GetOr returns the value of key, or def if there is no such key. Any other failure is an error.
func (v *Vault) GetOr(ctx context.Context, key string, def []byte) ([]byte, error) {
	return getOr(ctx, v, key, def)
}

// GetMany returns the values of the keys that exist, all of one snapshot if the engine has
// transactions. If one cannot be read, the error is an *Error that names its key, and the values of
// the keys before it are returned all the same.
func (v *Vault) GetMany(ctx context.Context, keys ...string) (map[string][]byte, error) {
	var values map[string][]byte
	err := v.view(ctx, func(tx *Tx) (err error) {
		values, err = getMany(ctx, tx, keys)
		return err
	})
	if errors.Is(err, ErrUnsupported) {
		values, err = getMany(ctx, v, keys)
	}
	return values, fail("get", "", err)
}

// GetMany is Vault.GetMany in the transaction.
func (t *Tx) GetMany(ctx context.Context, keys ...string) (map[string][]byte, error) {
	values, err := getMany(ctx, t, keys)
	return values, fail("get", "", err)
}

// GetItem returns the value of key, as Get does, with the entry of the same version.
func (v *Vault) GetItem(ctx context.Context, key string) (Item, error) { return getItem(ctx, v, key) }

// GetItem is Vault.GetItem in the transaction.
func (t *Tx) GetItem(ctx context.Context, key string) (Item, error) { return getItem(ctx, t, key) }

// GetRange returns n bytes of the value of key, beginning at offset off. It returns fewer if the
// value ends before that, and the whole rest if n is negative. An offset beyond the end is
// ErrInvalid. Of a value above 1 MiB it reads no more than these bytes. It compares with checksums
// what a Reader's ReadAt does.
func (v *Vault) GetRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	return getRange(ctx, v, key, off, n)
}

// Stat returns the size and metadata of key without reading its value. A missing key is
// ErrNotFound.
func (v *Vault) Stat(ctx context.Context, key string) (Entry, error) { return stat(ctx, v, key) }

// Tag returns the version tag of key, for IfTag and DeleteIf. It is the tag that Stat returns, or,
// for a value that another program wrote, one made from the content, which costs reading it.
func (v *Vault) Tag(ctx context.Context, key string) (string, error) { return tagOf(ctx, v, key) }

// Exists reports whether key exists. An error means that the answer is not known.
func (v *Vault) Exists(ctx context.Context, key string) (bool, error) { return has(ctx, v, key) }

// GetTo writes the value of key to w and returns the number of bytes written. It holds one chunk
// in memory, and reads one version of the value, whatever is written meanwhile. If w fails, the
// error is an *IOError. Of a value that does not match its checksum w never gets the whole: see
// Reader.
func (v *Vault) GetTo(ctx context.Context, key string, w io.Writer) (int64, error) {
	return getTo(ctx, v, key, w)
}

func get(ctx context.Context, s executor, key string) ([]byte, error) {
	value, err := appendValue(ctx, s, nil, key)
	if value == nil && err == nil {
		value = []byte{}
	}
	return value, err
}

func appendValue(ctx context.Context, s executor, dst []byte, key string) (value []byte, err error) {
	if err := checkKey(key); err != nil {
		return dst, fail("get", key, err)
	}
	err = s.do(ctx, func(r engine.Reader) error {
		if e, ok := s.lookup(key); ok {
			if e.Deleted {
				return ErrNotFound
			}
			value = append(dst, e.Value...)
			return nil
		}
		if a, ok := r.(engine.ValueAppender); ok {
			value, err = a.AppendValue(ctx, dst, key)
			return err
		}
		stored, err := r.Get(ctx, key)
		value = append(dst, stored...)
		return err
	})
	if err != nil {
		return dst, fail("get", key, err)
	}
	return value, nil
}

func getOr(ctx context.Context, s executor, key string, def []byte) ([]byte, error) {
	value, err := get(ctx, s, key)
	if errors.Is(err, ErrNotFound) {
		return def, nil
	}
	return value, err
}

func getMany(ctx context.Context, s executor, keys []string) (map[string][]byte, error) {
	values := make(map[string][]byte, len(keys))
	for _, key := range keys {
		if _, ok := values[key]; ok {
			continue
		}
		value, err := get(ctx, s, key)
		switch {
		case err == nil:
			values[key] = value
		case !errors.Is(err, ErrNotFound):
			return values, err
		}
	}
	return values, nil
}

func getItem(ctx context.Context, s executor, key string) (Item, error) {
	if err := checkKey(key); err != nil {
		return Item{}, fail("get", key, err)
	}
	only := engine.Range{Start: key, End: key + "\x00"}
	p, err := s.page(ctx, engine.Query{Range: only, Limit: 1, Values: true}, entriesAndValues, nil)
	switch {
	case err != nil:
		return Item{}, fail("get", key, err)
	case len(p.items) == 0:
		return Item{}, fail("get", key, ErrNotFound)
	}
	return Item{Entry: entryOf(p.items[0].Entry), Value: p.items[0].Value}, nil
}

func getRange(ctx context.Context, s executor, key string, off, n int64) ([]byte, error) {
	r, err := newReader(ctx, s, key)
	if err != nil {
		return nil, fail("get", key, err)
	}
	defer r.Close()
	rest := r.Size() - off
	if off < 0 || rest < 0 {
		return nil, fail("get", key, invalid("offset %d is outside the value of %d bytes", off, r.Size()))
	}
	if n < 0 || n > rest {
		n = rest
	}
	value := make([]byte, n)
	if n == 0 {
		return value, nil
	}
	if _, err := r.readAt(value, off); err != nil {
		return nil, fail("get", key, err)
	}
	return value, nil
}

func stat(ctx context.Context, s executor, key string) (Entry, error) {
	e, err := statEntry(ctx, s, key)
	return entryOf(e), fail("stat", key, err)
}

func statEntry(ctx context.Context, s executor, key string) (entry engine.Entry, err error) {
	if err := checkKey(key); err != nil {
		return engine.Entry{}, err
	}
	err = s.do(ctx, func(r engine.Reader) error {
		if e, ok := s.lookup(key); ok {
			if e.Deleted {
				return ErrNotFound
			}
			entry = pendingEntry(key, e)
			return nil
		}
		e, err := r.Stat(ctx, key)
		entry = e
		return err
	})
	if err != nil {
		return engine.Entry{}, err
	}
	return entry, nil
}

func tagOf(ctx context.Context, s executor, key string) (string, error) {
	e, err := stat(ctx, s, key)
	if err != nil || e.Tag != "" {
		return e.Tag, fail("tag", key, errors.Unwrap(err))
	}
	tag := ""
	err = s.do(ctx, func(r engine.Reader) (err error) {
		t, ok := r.(engine.Tagger)
		if !ok {
			return ErrUnsupported
		}
		tag, err = t.Tag(ctx, key)
		return err
	})
	return tag, fail("tag", key, err)
}

func has(ctx context.Context, s executor, key string) (found bool, err error) {
	if err := checkKey(key); err != nil {
		return false, fail("exists", key, err)
	}
	err = s.do(ctx, func(r engine.Reader) error {
		if e, ok := s.lookup(key); ok {
			found = !e.Deleted
			return nil
		}
		found, err = exists(ctx, r, key)
		return err
	})
	return found, fail("exists", key, err)
}

func getTo(ctx context.Context, s executor, key string, w io.Writer) (int64, error) {
	r, err := newReader(ctx, s, key)
	if err != nil {
		return 0, fail("get", key, err)
	}
	defer r.Close()
	n, err := r.writeTo(w)
	return n, fail("get", key, err)
}

// exists asks r alone, without pending entries.
func exists(ctx context.Context, r engine.Reader, key string) (bool, error) {
	_, err := r.Stat(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
