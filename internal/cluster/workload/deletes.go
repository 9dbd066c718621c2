package workload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kohakuvault/kvault"
)

// Deletes has workers that put and delete values of their own keys, while others delete earlier
// versions and sweep. No deletion may take a later value with it, and no deleted value may return.
type Deletes struct {
	Prefix        string
	Workers, Keys int
	// Sweep, if not nil, is called again and again meanwhile.
	Sweep func(ctx context.Context) error
	// Swept counts its calls that succeeded.
	Swept int
	Report

	mu       sync.Mutex
	versions map[string]uint64 // the last of each key that must be there; 0 if none may be
	open     map[string]bool   // keys whose last call failed: it is not known what is there
	numbers  uint64
}

// Run goes on until ctx ends.
func (d *Deletes) Run(ctx context.Context, v Vault) {
	d.versions, d.open = map[string]uint64{}, map[string]bool{}
	parallel(d.Workers+1, func(i int) {
		for n := 0; ctx.Err() == nil; n++ {
			switch {
			case i < d.Workers:
				d.round(ctx, v, fmt.Sprintf("%s%d/%d", d.Prefix, i, n%d.Keys))
			case d.Sweep == nil:
				return
			case d.read(ctx, d.Sweep) == nil:
				d.Swept++
			default:
				time.Sleep(100 * time.Millisecond)
			}
		}
	})
}

// round puts a version of a key, puts another while somebody deletes the first by its tag, and
// deletes that one too, half of the time.
func (d *Deletes) round(ctx context.Context, v Vault, key string) {
	first, second := d.number(), d.number()
	var e kvault.Entry
	err := d.call(ctx, func(ctx context.Context) (err error) {
		e, err = v.PutWith(ctx, key, newValue(key, first, 200), nil)
		return err
	})
	d.settle(key, first, err)
	if err != nil {
		return
	}
	parallel(2, func(i int) {
		if i == 0 {
			err = d.call(ctx, func(ctx context.Context) error { return v.Put(ctx, key, newValue(key, second, 300)) })
			return
		}
		_ = d.read(ctx, func(ctx context.Context) error { return v.DeleteIf(ctx, key, e.Tag) },
			kvault.ErrTagMismatch, kvault.ErrNotFound)
	})
	d.settle(key, second, err)
	if err != nil || d.look(ctx, v, key) != nil || second%4 < 2 {
		return
	}
	err = d.call(ctx, func(ctx context.Context) error {
		found, err := v.Delete(ctx, key)
		if err == nil && !found {
			d.wrong("%s: version %d was not there to be deleted", key, second)
		}
		return err
	})
	d.settle(key, 0, err)
	_ = d.look(ctx, v, key)
}

func (d *Deletes) number() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.numbers++
	return d.numbers
}

// settle notes what a key holds after a call.
func (d *Deletes) settle(key string, version uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.versions[key], d.open[key] = version, err != nil
}

// look holds what there is of a key against what there must be. Only the key's worker calls it, or
// Verify.
func (d *Deletes) look(ctx context.Context, v Vault, key string) error {
	d.mu.Lock()
	want, open := d.versions[key], d.open[key]
	d.mu.Unlock()
	var value []byte
	err := d.read(ctx, func(ctx context.Context) (err error) {
		value, err = v.Get(ctx, key)
		return err
	}, notFound...)
	switch {
	case errors.Is(err, kvault.ErrNotFound):
		if want > 0 && !open {
			d.wrong("%s is missing, where version %d was acknowledged", key, want)
		}
		return nil
	case err != nil:
		return err
	}
	got, err := checkValue(key, value)
	if err != nil || got != want && !open {
		d.wrong("%s has version %d (%v), where %d was acknowledged; 0 is a deletion", key, got, err, want)
	}
	return nil
}

// Verify looks at every key again, when all faults have ended.
func (d *Deletes) Verify(ctx context.Context, v Vault) error {
	for key := range d.versions {
		if err := d.look(ctx, v, key); err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
	}
	return nil
}
