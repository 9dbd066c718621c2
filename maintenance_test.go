package kvault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

func TestMaintenance(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	ctx := t.Context()
	if err := v.Optimize(ctx, nil); err != nil {
		t.Error(err)
	}
	f.fail("shrink", 2, kvault.ErrBusy)
	if n, err := v.Shrink(ctx, time.Minute); err != nil || n != 30 { // each attempt gave back 10
		t.Errorf("Shrink = %d, %v", n, err)
	}
	_, err := v.Shrink(ctx, -1)
	wantErr(t, err, kvault.ErrInvalid)
	told := false
	if err := v.Backup(ctx, "x", func(done, total int64) { told = done == 1 && total == 2 }); err != nil || !told {
		t.Errorf("Backup = %v, progress told %v", err, told)
	}
	f.fail("backup", -1, errBoom)
	wantErr(t, v.Backup(ctx, "x", nil), errBoom)
	wantErr(t, v.BackupTo(ctx, io.Discard, nil), errBoom)
}

func TestMaintenanceThatTheEngineLacks(t *testing.T) {
	v := newOn(t, simple{newFaulty()}, quick)
	defer v.Close()
	ctx := t.Context()
	put(t, v, "a", "1")
	_, shrink := v.Shrink(ctx, 1)
	_, check := v.Check(ctx, nil)
	for _, err := range []error{v.Optimize(ctx, nil), shrink, v.Backup(ctx, "x", nil), v.BackupTo(ctx, io.Discard, nil), check} {
		wantErr(t, err, kvault.ErrUnsupported)
	}
	s, err := v.Stats(ctx)
	if err != nil || s.Keys != 1 || s.Engine != "" {
		t.Errorf("Stats = %+v, %v", s, err)
	}
}

// Cached writers go on while a backup is made.
func TestBackupDoesNotHoldUpWriters(t *testing.T) {
	v, f := newFaultyVault(t, quick)
	enable(t, v, 1000, 1000)
	put(t, v, "a", "1")
	reached, release := f.block("backup")
	defer release()
	done := make(chan error)
	go func() { done <- v.Backup(t.Context(), "x", nil) }()
	<-reached
	f.wantStored(t, "a", "1")
	put(t, v, "b", "2")
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestStats(t *testing.T) {
	both(t, func(t *testing.T, v *kvault.Vault, f *faulty) {
		put(t, v, "a", "1", "b", "2")
		s, err := v.Stats(t.Context())
		if err != nil || s.Keys != 2 || s.Engine == "" || s.Cache.Enabled != v.CacheStats().Enabled {
			t.Errorf("Stats = %+v, %v", s, err)
		}
		f.fail("stats", -1, errBoom)
		_, err = v.Stats(t.Context())
		wantErr(t, err, errBoom)
	})
}

// checked is a store whose Check finds so many problems, after so many busy attempts.
type checked struct {
	*faulty
	problems int
	busy     int
	late     bool // busy after a problem was told
	err      error
	attempts int
}

func (c *checked) Check(_ context.Context, report func(engine.Problem), progress func(done, total int64)) error {
	c.attempts++
	if c.busy > 0 && !c.late {
		c.busy--
		return engine.ErrBusy
	}
	for i := range c.problems {
		report(engine.Problem{Key: fmt.Sprint(i), Err: errBoom})
	}
	if c.busy > 0 {
		return engine.ErrBusy
	}
	progress(7, 9)
	return c.err
}

func TestCheck(t *testing.T) {
	store := &checked{faulty: newFaulty(), busy: 3}
	v := newOn(t, store, quick)
	defer v.Close()
	enable(t, v, 1000, 1000)
	put(t, v, "a", "1")
	r, err := v.Check(t.Context(), nil)
	if err != nil || r.Keys != 7 || r.Problems != 0 || r.Err() != nil || !r.Complete {
		t.Errorf("a sound vault: %+v, %v", r, err)
	}
	wantBytes(t, v, 0, 0)

	store.problems = 150
	var told, done, total int64
	r, err = v.Check(t.Context(), &kvault.CheckOptions{
		OnProblem: func(p kvault.Problem) { told++ },
		Progress:  func(d, n int64) { done, total = d, n },
	})
	if !r.Complete || r.Problems != 150 || len(r.First) != 100 || told != 150 || done != 7 || total != 9 {
		t.Errorf("a damaged vault: %d problems, %d kept, %d told, progress %d/%d, %v", r.Problems, len(r.First), told, done, total, err)
	}
	wantErr(t, err, kvault.ErrCorrupt)
	if want := `check "0": 150 problems, the first: boom`; err.Error() != want || r.Err().Error() != want {
		t.Errorf("error %v, report %v, want %s", err, r.Err(), want)
	}
	store.problems = 1
	if _, err = v.Check(t.Context(), nil); err == nil || err.Error() != `check "0": boom` {
		t.Errorf("error %v", err)
	}
}

func TestCheckThatCannotBeFinished(t *testing.T) {
	store := &checked{faulty: newFaulty(), problems: 1, err: errBoom}
	v := newOn(t, store, quick)
	defer v.Close()
	r, err := v.Check(t.Context(), nil)
	wantErr(t, err, errBoom)
	if r.Problems != 1 || r.Complete || errors.Is(err, kvault.ErrCorrupt) {
		t.Errorf("%+v, %v", r, err)
	}
	// Busy once problems were told: telling them again would count them twice.
	store.attempts, store.busy, store.late = 0, 1, true
	_, err = v.Check(t.Context(), nil)
	wantErr(t, err, kvault.ErrBusy)
	if store.attempts != 1 {
		t.Errorf("%d attempts", store.attempts)
	}
}
