//go:build linux && reliability

package reliability

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kohakuvault/kvault"
)

// fillTemp does what uses temporary files with more and more room for them on d.
func fillTemp(ctx context.Context, d fullDisk, dir string, step int64, out io.Writer) error {
	for _, rollback := range []bool{false, true} {
		r := &fullRun{dir: dir, roomy: dir, opt: &kvault.Options{DisableWAL: rollback, OneRowLimit: 100_000, ChunkSize: 8000, CacheKB: 64, Attempts: 1}}
		if err := errors.Join(d.free(), d.free(), r.make(ctx), r.open(ctx), r.stream(ctx, "huge", 2<<20), r.stream(ctx, "middle", 90_000)); err != nil {
			return err
		}
		if err := r.optimizeWithoutTemp(ctx, d); err != nil {
			return fmt.Errorf("rollback journal %t: %w", rollback, err)
		}
		refused := 1
		for n := int64(0); n < 8<<20; n = moreRoom(step, n) {
			k, err := r.withTemp(ctx, d, n)
			if err != nil {
				return fmt.Errorf("rollback journal %t, with room for %d bytes: %w", rollback, n, err)
			}
			refused += k
		}
		if err := errors.Join(r.close(), r.tidy(ctx)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "temporary folder, rollback journal %t: %d times full\n", rollback, refused); err != nil {
			return err
		}
	}
	return nil
}

// optimizeWithoutTemp has Optimize refused: a vault without gaps gives nothing back, and there is
// no room for the copy that rebuilds it.
func (r *fullRun) optimizeWithoutTemp(ctx context.Context, d fullDisk) error {
	if err := errors.Join(r.v.Optimize(ctx, nil), d.leave(0)); err != nil {
		return err
	}
	err := r.v.Optimize(ctx, nil)
	if err == nil {
		return errors.Join(errors.New("a vault without gaps was rebuilt without a temporary file"), d.free())
	}
	return errors.Join(saysFull(err, os.TempDir(), "TMPDIR"), d.free(), d.free(), r.expect(ctx))
}

func (r *fullRun) withTemp(ctx context.Context, d fullDisk, n int64) (refused int, err error) {
	if err := d.leave(n); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.free(), d.free(), r.expect(ctx), r.checks(ctx)) }()
	for _, size := range []int{15_000, 99_000, 130_000} { // a row each, if there is room, and chunks
		if err := r.stream(ctx, fmt.Sprint("new ", size), size); err != nil {
			return 0, fmt.Errorf("stream: %w", err)
		}
	}
	for name, call := range map[string]func() error{
		"optimize": func() error { return r.v.Optimize(ctx, nil) },
		"read":     func() error { return r.reads(ctx, "huge") },
		"read in a transaction": func() error {
			return r.v.Update(ctx, func(tx *kvault.Tx) error {
				rd, err := tx.NewReader(ctx, "middle")
				if err != nil {
					return err
				}
				return rd.Close()
			})
		},
	} {
		err := call()
		if err == nil {
			continue
		}
		refused++
		if err := saysFull(err, os.TempDir(), "TMPDIR"); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		if err := r.expect(ctx); err != nil {
			return 0, fmt.Errorf("after %s: %w", name, err)
		}
	}
	return refused, nil
}

// reads goes through a value as a stream.
func (r *fullRun) reads(ctx context.Context, key string) error {
	n, err := r.v.GetTo(ctx, key, io.Discard)
	if err == nil && n != int64(len(r.values[key])) {
		err = fmt.Errorf("%s has %d bytes", key, n)
	}
	return err
}
