//go:build reliability

package reliability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// tortureWorker is one goroutine with a handle of its own.
type tortureWorker struct {
	board *tortureBoard
	path  string
	opt   *kvault.Options
	v     *kvault.Vault
	own   []int // the slots that only this worker writes
}

func (w *tortureWorker) run(ctx context.Context, writes bool, over *atomic.Bool) (err error) {
	defer func() {
		if w.v != nil {
			err = errors.Join(err, w.v.Close())
		}
	}()
	for !over.Load() {
		if w.v == nil || rand.IntN(300) == 0 {
			if err := w.reopen(ctx); err != nil {
				return err
			}
		}
		slot := rand.IntN(tortureSlots)
		if writes && rand.IntN(3) > 0 {
			slot = w.own[rand.IntN(len(w.own))]
			err = w.write(ctx, slot)
		} else {
			err = w.read(ctx, slot, readWays[rand.IntN(len(readWays))])
		}
		if err != nil {
			return fmt.Errorf("slot %d: %w", slot, err)
		}
	}
	return nil
}

func (w *tortureWorker) reopen(ctx context.Context) (err error) {
	if w.v != nil {
		if err := w.v.Close(); err != nil {
			return err
		}
	}
	w.v, err = kvault.Open(ctx, w.path, w.opt)
	w.board.opens.Add(1)
	return err
}

func tortureKey(slot int) string { return fmt.Sprintf("slot %02d", slot) }

func isTwin(slot int) bool { return slot%8 == 0 }

// tortureValue is version n of a slot: a head that says which it is, and bytes that only it has.
// It is nil where version n is a deletion.
func tortureValue(slot int, n uint64) []byte {
	if n == 0 || n%9 == 0 {
		return nil
	}
	var seed [32]byte
	copy(seed[:], fmt.Sprint(slot, " ", n))
	r := rand.New(rand.NewChaCha8(seed))
	size := r.IntN(3000)
	switch {
	case r.IntN(20) == 0:
		size = r.IntN(600_000)
	case r.IntN(4) == 0:
		size = r.IntN(60_000)
	}
	value := fmt.Appendf(make([]byte, 0, size+32), "%d %d;", slot, n)
	head := len(value)
	value = value[:head+size]
	rand.NewChaCha8(seed).Read(value[head:])
	return value
}

// versionOf is the version that a value claims to be and proves by its bytes.
func versionOf(slot int, value []byte) (n uint64, err error) {
	head, _, _ := bytes.Cut(value, []byte(";"))
	var is int
	if _, err := fmt.Sscan(string(head[:min(len(head), 40)]), &is, &n); err != nil || is != slot {
		return 0, fmt.Errorf("%d bytes that begin with %q", len(value), head[:min(len(head), 40)])
	}
	if want := tortureValue(slot, n); !bytes.Equal(value, want) {
		return 0, fmt.Errorf("version %d has %d bytes that differ from the %d written", n, len(value), len(want))
	}
	return n, nil
}

// write stores the next version of a slot and acknowledges it.
func (w *tortureWorker) write(ctx context.Context, slot int) error {
	n := w.board.begun[slot].Load()
	if w.board.acked[slot].Load() < n { // a process was killed between the two
		stored, err := w.stored(ctx, slot, n)
		if err != nil {
			return err
		}
		if !stored {
			n--
		}
		w.board.acked[slot].Store(n)
	}
	n++
	w.board.begun[slot].Store(n)
	if err := w.store(ctx, slot, n, tortureValue(slot, n)); err != nil {
		return fmt.Errorf("write version %d: %w", n, err)
	}
	w.board.acked[slot].Store(n)
	w.board.writes.Add(1)
	return nil
}

// stored says whether version n, which was begun, is in the vault.
func (w *tortureWorker) stored(ctx context.Context, slot int, n uint64) (bool, error) {
	if isTwin(slot) {
		c, err := column.Open(ctx, w.v, tortureKey(slot), column.Int64)
		if errors.Is(err, kvault.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		length, err := c.Len(ctx)
		return uint64(length) == n, err
	}
	value, err := w.v.Get(ctx, tortureKey(slot))
	if errors.Is(err, kvault.ErrNotFound) {
		return tortureValue(slot, n) == nil, nil
	}
	if err != nil {
		return false, err
	}
	found, err := versionOf(slot, value)
	return found == n, err
}

func (w *tortureWorker) store(ctx context.Context, slot int, n uint64, value []byte) error {
	key := tortureKey(slot)
	switch {
	case isTwin(slot):
		return w.storeTwins(ctx, slot, n, value)
	case value == nil:
		_, err := w.v.Delete(ctx, key)
		return err
	case n%2 == 0:
		_, err := w.v.PutReader(ctx, key, io.MultiReader(bytes.NewReader(value)), nil)
		return err
	}
	return w.v.Put(ctx, key, value)
}

// storeTwins stores a value under two keys, and its version in a column, in one transaction.
func (w *tortureWorker) storeTwins(ctx context.Context, slot int, n uint64, value []byte) error {
	key := tortureKey(slot)
	c, err := column.Ensure(ctx, w.v, key, column.Int64, &column.Options{MinChunk: 128, MaxChunk: 4096})
	if err != nil {
		return err
	}
	return w.v.Update(ctx, func(tx *kvault.Tx) error {
		for _, k := range []string{key, key + " twin"} {
			if value == nil {
				if _, err := tx.Delete(ctx, k); err != nil {
					return err
				}
			} else if err := tx.Put(ctx, k, value); err != nil {
				return err
			}
		}
		return c.In(tx).Append(ctx, int64(n))
	})
}

// readWays are the ways of reading a value; nil means that it is not there.
var readWays = []func(ctx context.Context, v *kvault.Vault, key string) ([]byte, error){viaGet, viaGet, viaMany, viaReader, viaItems, viaTwins}

func viaGet(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
	return v.GetOr(ctx, key, nil)
}

func viaMany(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
	got, err := v.GetMany(ctx, key, "no such key")
	return got[key], err
}

func viaReader(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
	r, err := v.NewReader(ctx, key)
	if errors.Is(err, kvault.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value, err := io.ReadAll(r)
	if err == nil && len(value) > 0 { // the reader has a snapshot: what is read again is the same
		at := rand.IntN(len(value))
		part := make([]byte, min(1000, len(value)-at))
		if _, err = r.ReadAt(part, int64(at)); err == nil && !bytes.Equal(part, value[at:at+len(part)]) {
			err = fmt.Errorf("%d bytes at %d differ when read again", len(part), at)
		}
	}
	return value, errors.Join(err, r.Close())
}

func viaItems(ctx context.Context, v *kvault.Vault, key string) ([]byte, error) {
	for item, err := range v.Items(ctx, &kvault.ListOptions{Start: key, Limit: 3}) {
		if err != nil {
			return nil, err
		}
		if item.Key == key {
			return item.Value, nil
		}
	}
	return nil, nil
}

// viaTwins reads what one transaction wrote in one snapshot: twins are alike, and the column is as
// long as the version says.
func viaTwins(ctx context.Context, v *kvault.Vault, key string) (value []byte, err error) {
	var slot int
	if _, err := fmt.Sscanf(key, "slot %02d", &slot); err != nil || !isTwin(slot) {
		return viaGet(ctx, v, key)
	}
	c, err := column.Ensure(ctx, v, key, column.Int64, &column.Options{MinChunk: 128, MaxChunk: 4096})
	if err != nil {
		return nil, err
	}
	return value, v.View(ctx, func(tx *kvault.Tx) error {
		if value, err = tx.GetOr(ctx, key, nil); err != nil {
			return err
		}
		twin, err := tx.GetOr(ctx, key+" twin", nil)
		if err != nil {
			return err
		}
		length, err := c.In(tx).Len(ctx)
		if err != nil {
			return err
		}
		if !bytes.Equal(value, twin) || !bytes.Equal(value, tortureValue(slot, uint64(length))) {
			return fmt.Errorf("twins of %d and %d bytes, and a column of %d", len(value), len(twin), length)
		}
		return nil
	})
}

// read fails unless it finds a version that was acknowledged before it began, or a newer one that
// was begun before it ended.
func (w *tortureWorker) read(ctx context.Context, slot int, way func(context.Context, *kvault.Vault, string) ([]byte, error)) error {
	first := w.board.acked[slot].Load()
	value, err := way(ctx, w.v, tortureKey(slot))
	last := w.board.begun[slot].Load()
	if err != nil {
		return err
	}
	w.board.reads.Add(1)
	if value == nil {
		for n := first; n <= last; n++ {
			if tortureValue(slot, n) == nil {
				return nil
			}
		}
		return fmt.Errorf("nothing is there, but versions %d to %d are values", first, last)
	}
	n, err := versionOf(slot, value)
	if err == nil && (n < first || n > last) {
		err = fmt.Errorf("version %d was read where %d was acknowledged and %d begun", n, first, last)
	}
	return err
}
