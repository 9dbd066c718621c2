package kvault

import (
	"context"
	"fmt"

	"github.com/kohakuvault/kvault/engine"
)

// Problem is one thing that Check found wrong: with the value of a key, with a column, or, if both
// names are empty, with the file as a whole. Where the elements of a column differ in size, Column
// names one of its two arrays. Its fields are those of [engine.Problem].
type Problem = engine.Problem

// CheckOptions let a caller follow a check. Nil and the zero value report nothing.
type CheckOptions struct {
	// OnProblem, if not nil, is called with each problem as it is found.
	OnProblem func(Problem)
	// Progress, if not nil, is called with the number of keys done and of all keys.
	Progress func(done, total int64)
}

// CheckReport is what Check found.
type CheckReport struct {
	// Keys is the number of keys examined.
	Keys int64
	// Complete reports whether the check examined everything, whatever it found.
	Complete bool
	// Problems is the number of problems, and First the first 100 of them.
	Problems int64
	First    []Problem
}

// maxReported is the most problems that a report keeps.
const maxReported = 100

// Err returns nil if no problem was found, and otherwise an error that matches ErrCorrupt and names
// the first one. Check returns the same error, unless it could not finish.
func (r *CheckReport) Err() error {
	if r.Problems == 0 {
		return nil
	}
	first := r.First[0]
	text := fmt.Sprintf("%d problems, the first: %v", r.Problems, first.Err)
	if r.Problems == 1 {
		text = first.Err.Error()
	}
	if first.Column != "" {
		text = fmt.Sprintf("column %q: %s", first.Column, text)
	}
	return &Error{Op: "check", Key: first.Key, Err: &worded{text, ErrCorrupt}}
}

func (r *CheckReport) add(p Problem) {
	r.Problems++
	if len(r.First) < maxReported {
		r.First = append(r.First, p)
	}
}

// Check flushes the cache and reads the whole vault. It checks the structure of the file, the
// checksums of the values and the lengths of the columns. Columns have no checksums.
//
// If Check finds damage it returns an error that matches ErrCorrupt. The report is never nil;
// unless it is Complete, the check could not finish: the error says why, and the report covers what
// was examined. ErrUnsupported if the engine has no check.
func (v *Vault) Check(ctx context.Context, o *CheckOptions) (*CheckReport, error) {
	if o == nil {
		o = &CheckOptions{}
	}
	r := &CheckReport{}
	report := func(p Problem) {
		r.add(p)
		if o.OnProblem != nil {
			o.OnProblem(p)
		}
	}
	progress := func(done, total int64) {
		r.Keys = done
		if o.Progress != nil {
			o.Progress(done, total)
		}
	}
	// Once a problem was reported, starting again would report it twice.
	again := func(err error) bool { return isBusy(err) && r.Problems == 0 }
	c, ok := v.store.(engine.Checker)
	err := v.during(func() error {
		if !ok {
			return ErrUnsupported
		}
		if err := v.cache.flushExclusive(ctx); err != nil {
			return err
		}
		return retryIf(ctx, &v.opt, again, func() error { return c.Check(ctx, report, progress) })
	})
	if err != nil {
		return r, fail("check", "", err)
	}
	r.Complete = true
	return r, r.Err()
}
