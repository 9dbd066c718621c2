package sqlite_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
	"github.com/kohakuvault/kvault/engine/sqlite"
)

// image is all that a vault holds, for comparison.
type image struct {
	values map[string][]byte
	ints   []int64
	texts  []string
}

// digest is the same for equal images.
func (m *image) digest() [sha256.Size]byte {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		fmt.Fprintf(h, "%q %x\n", key, sha256.Sum256(m.values[key]))
	}
	fmt.Fprintf(h, "%d %q", m.ints, m.texts)
	return [sha256.Size]byte(h.Sum(nil))
}

func (m *image) clone() *image {
	return &image{maps.Clone(m.values), slices.Clone(m.ints), slices.Clone(m.texts)}
}

// readImage reads all that a vault holds. A column that is not there counts as empty.
func readImage(ctx context.Context, v *kvault.Vault) (*image, error) {
	m := &image{values: map[string][]byte{}}
	err := v.View(ctx, func(tx *kvault.Tx) (err error) {
		for item, err := range tx.Items(ctx, nil) {
			if err != nil {
				return err
			}
			m.values[item.Key] = item.Value
		}
		if m.ints, err = readColumn(ctx, tx, "ints", column.Int64); err == nil {
			m.texts, err = readColumn(ctx, tx, "texts", column.String)
		}
		return err
	})
	if err == nil {
		err = readUpload(ctx, v, m)
	}
	return m, err
}

func readColumn[T any](ctx context.Context, tx *kvault.Tx, name string, codec column.Codec[T]) (all []T, err error) {
	c, err := column.Open(ctx, tx, name, codec)
	if errors.Is(err, kvault.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for x, err := range c.All(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// vaultOn is a vault on a store whose handles a test needs too.
type vaultOn struct {
	*kvault.Vault
	store *sqlite.Store
	ints  *column.Column[int64]
	texts *column.Column[string]
}

func openOn(ctx context.Context, path string, o *sqlite.Options) (*vaultOn, error) {
	s, err := sqlite.Open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	on, err := kvault.New(s, &kvault.Options{ChunkSize: 4000})
	if err != nil {
		return nil, err
	}
	v := &vaultOn{Vault: on, store: s}
	small := &column.Options{MinChunk: 512, MaxChunk: 4096}
	if v.ints, err = column.Ensure(ctx, v.Vault, "ints", column.Int64, small); err == nil {
		v.texts, err = column.Ensure(ctx, v.Vault, "texts", column.String, small)
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// randomStep chooses one atomic change, makes it in m, and returns the call that makes it in a
// vault.
func randomStep(r *rand.Rand, m *image) func(ctx context.Context, v *vaultOn) error {
	key := func() string { return fmt.Sprint("k", r.IntN(8)) }
	value := func(most int) []byte {
		p := make([]byte, r.IntN(most))
		for i := range p {
			p[i] = byte(r.Uint32() >> 3)
		}
		return p
	}
	switch n := r.IntN(29); {
	case n >= 25:
		return uploadStep(m, value(9000), r)
	case n < 5:
		k, p := key(), value(3000)
		m.values[k] = p
		return func(ctx context.Context, v *vaultOn) error { return v.Put(ctx, k, p) }
	case n < 8:
		k, p := key(), value(60000)
		m.values[k] = p
		return func(ctx context.Context, v *vaultOn) error {
			_, err := v.PutReader(ctx, k, bytes.NewReader(p), nil)
			return err
		}
	case n < 10:
		k := key()
		delete(m.values, k)
		return func(ctx context.Context, v *vaultOn) error { _, err := v.Delete(ctx, k); return err }
	case n < 12:
		xs := []int64{r.Int64(), r.Int64(), r.Int64N(9)}
		xs = slices.Repeat(xs, 1+r.IntN(100))
		m.ints = append(m.ints, xs...)
		return func(ctx context.Context, v *vaultOn) error { return v.ints.Extend(ctx, xs) }
	case n < 14:
		text := fmt.Sprintf("%x", value(400))
		m.texts = append(m.texts, text)
		return func(ctx context.Context, v *vaultOn) error { return v.texts.Append(ctx, text) }
	case n < 16:
		return transactionStep(m, key(), value(2000), r.Int64())
	case n < 18:
		return flushStep(m, key(), value(2000), r.IntN(20))
	case n < 19 && len(m.texts) > 0:
		i := r.IntN(len(m.texts))
		m.texts[i] = "changed"
		return func(ctx context.Context, v *vaultOn) error { return v.texts.Set(ctx, int64(i), "changed") }
	case n < 20:
		return func(_ context.Context, v *vaultOn) error { return v.store.Checkpoint() }
	case n < 21:
		return func(ctx context.Context, v *vaultOn) error { _, err := v.Shrink(ctx, time.Hour); return err }
	}
	from := key()
	if _, there := m.values[from]; there && r.IntN(4) > 0 {
		return copyStep(m, from, key())
	}
	return func(ctx context.Context, v *vaultOn) error { return v.Optimize(ctx, nil) }
}

// copyStep copies a value, and changes the metadata of the copy.
func copyStep(m *image, from, to string) func(ctx context.Context, v *vaultOn) error {
	m.values[to] = m.values[from]
	return func(ctx context.Context, v *vaultOn) error {
		return v.Update(ctx, func(tx *kvault.Tx) error {
			_, err := tx.Copy(ctx, from, to, nil)
			if err == nil {
				_, err = tx.SetMetadata(ctx, to, nil)
			}
			return err
		})
	}
}

// uploading stands for what is written of an unfinished upload among the values.
const uploading = "\x00uploading"

// uploadStep writes a part of the vault's only upload, or publishes it.
func uploadStep(m *image, p []byte, r *rand.Rand) func(ctx context.Context, v *vaultOn) error {
	written := m.values[uploading]
	if len(written) > 0 && r.IntN(3) == 0 {
		m.values["uploaded"] = written
		delete(m.values, uploading)
		return func(ctx context.Context, v *vaultOn) error {
			u, err := v.upload(ctx)
			if err == nil {
				_, err = u.Publish(ctx, nil)
			}
			return err
		}
	}
	off := r.IntN(len(written) + 1)
	if p = append(p, 'x'); off+len(p) < len(written) {
		written = slices.Concat(written[:off], p, written[off+len(p):])
	} else {
		written = slices.Concat(written[:off], p)
	}
	m.values[uploading] = written
	return func(ctx context.Context, v *vaultOn) error {
		if _, err := v.FlushCache(ctx); err != nil { // a part goes to the file without
			return err
		}
		u, err := v.upload(ctx)
		if err != nil {
			return err
		}
		return u.WriteAt(ctx, p, int64(off))
	}
}

// upload is the vault's only upload, which it makes if need be.
func (v *vaultOn) upload(ctx context.Context) (*kvault.Upload, error) {
	for info, err := range v.Uploads(ctx, "") {
		if err != nil {
			return nil, err
		}
		return v.OpenUpload(ctx, info.ID)
	}
	return v.NewUpload(ctx, "uploaded", &kvault.UploadOptions{ChunkSize: 4000})
}

// readUpload reads what is written of an unfinished upload.
func readUpload(ctx context.Context, v *kvault.Vault, m *image) error {
	for info, err := range v.Uploads(ctx, "") {
		if err != nil {
			return err
		}
		if len(info.Written) == 0 {
			continue
		}
		u, err := v.OpenUpload(ctx, info.ID)
		if err != nil {
			return err
		}
		p := make([]byte, info.Written[0].End)
		if _, err := u.ReadAt(ctx, p, 0); err != nil {
			return err
		}
		m.values[uploading] = p
	}
	return nil
}

// transactionStep changes keys and columns in one transaction.
func transactionStep(m *image, k string, p []byte, x int64) func(ctx context.Context, v *vaultOn) error {
	m.values[k], m.values["with "+k] = p, p
	m.ints, m.texts = append(m.ints, x), append(m.texts, k)
	return func(ctx context.Context, v *vaultOn) error {
		return v.Update(ctx, func(tx *kvault.Tx) error {
			return errors.Join(tx.Put(ctx, k, p), v.ints.In(tx).Append(ctx, x), v.texts.In(tx).Append(ctx, k), tx.Put(ctx, "with "+k, p))
		})
	}
}

// flushStep makes n changes by way of the cache.
func flushStep(m *image, k string, p []byte, n int) func(ctx context.Context, v *vaultOn) error {
	for i := range n {
		m.values[fmt.Sprint("cached", i)] = p
	}
	delete(m.values, k)
	return func(ctx context.Context, v *vaultOn) error {
		return v.WithCache(ctx, nil, func() error {
			if _, err := v.Delete(ctx, k); err != nil { // it looks into the file: what is in the cache stays there if a later call fails
				return err
			}
			for i := range n {
				if err := v.Put(ctx, fmt.Sprint("cached", i), p); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
