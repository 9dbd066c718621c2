package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/mem"
)

// halfChecked is a store whose check finds a problem, and then fails with err if that is not nil.
type halfChecked struct {
	engine.Transactor
	err error
}

func (h halfChecked) Check(_ context.Context, report func(engine.Problem), _ func(done, total int64)) error {
	report(engine.Problem{Key: "k", Err: engine.ErrCorrupt})
	return h.err
}

// TestCheckOfBackup: a check that was interrupted is not called damage, whatever it found before.
func TestCheckOfBackup(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"finished", nil, "has 1 problem"},
		{"interrupted", context.Canceled, "not all of it was checked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, errs := memApp(nil)
			v, err := kvault.New(halfChecked{mem.New(), c.err}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			err = a.checkBackup(t.Context(), v)
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, kvault.ErrCorrupt) != (c.err == nil) || !errors.Is(err, c.err) && c.err != nil {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if !strings.Contains(errs.String(), `"k"`) {
				t.Errorf("the problem is not told: %s", errs)
			}
		})
	}
}
