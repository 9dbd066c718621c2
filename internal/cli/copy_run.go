package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/replicate"
)

// replication is one run of the copy command.
type replication struct {
	*app
	flags    *copyFlags
	copier   *replicate.Copier
	progress *progress
}

// run copies, deletes and verifies as the flags say.
func (r *replication) run(ctx context.Context, from, to *kvault.Vault) (err error) {
	o := r.flags.options()
	o.Report = r.show
	o.BatchItems, o.BatchBytes = r.batch.items, r.batch.bytes
	o.Progress = func(n int64) { r.progress.add(n) }
	if r.copier, err = replicate.New(from, to, o); err != nil {
		return err
	}
	total := r.measure(ctx, from, o)
	r.progress = r.startProgress("copy", inBytes, total)
	err = r.copier.Copy(ctx)
	r.progress.finish()
	if err == nil && r.flags.delete {
		err = r.deleteSurplus(ctx)
	}
	if err == nil && r.flags.verify {
		r.progress = r.startProgress("verify", inBytes, total)
		err = r.copier.Verify(ctx)
		r.progress.finish()
	}
	return err
}

// measure is how many bytes of values the source has, if anyone is going to see it.
func (r *replication) measure(
	ctx context.Context, from *kvault.Vault, o replicate.Options,
) (total int64) {
	if r.progressForm() == progressNone || o.NoKeys {
		return 0
	}
	for e, err := range from.List(ctx, &kvault.ListOptions{Prefix: o.Prefix, NoMetadata: true}) {
		if err != nil {
			return 0 // for the real listing to report
		}
		total += e.Size
	}
	return total
}

// deleteSurplus deletes what the source does not have, if that is sure to be so, and wanted.
func (r *replication) deleteSurplus(ctx context.Context) error {
	list, err := r.copier.Surplus(r.flags.force)
	n := int64(len(list))
	switch {
	case errors.Is(err, replicate.ErrEmpty):
		return fmt.Errorf("copy: FROM has nothing to copy, so none of %s is deleted; "+
			"--force deletes them if that is meant", countInWords(n, "item"))
	case err != nil:
		r.note("Nothing is deleted, because %v.", err)
		return nil
	case n == 0:
		return nil
	case !r.flags.yes && !r.flags.dryRun:
		var first []string
		for _, s := range list[:min(n, shownKeys)] {
			name := s.Key
			if s.Column {
				name = "column " + name
			}
			first = append(first, name)
		}
		r.tellKeys(first, n)
		question := fmt.Sprintf("Delete %s that FROM does not have?", countInWords(n, "item"))
		if err := r.confirmDelete(ctx, "copy", question); err != nil {
			return err
		}
	}
	left, err := r.copier.Delete(ctx, list)
	if err == nil && left > 0 {
		r.note("Not deleted: %s that changed after the list was made.", countInWords(left, "item"))
	}
	return err
}

// copiedJSON says in JSON what became of one item.
type copiedJSON struct {
	keyJSON
	Column string `json:"column,omitempty"`
	Action string `json:"action"`
	Size   int64  `json:"size"`
	Error  string `json:"error,omitempty"`
	DryRun bool   `json:"dry_run,omitempty"`
}

var copyVerbs = map[replicate.Action]verb{
	replicate.Copied:    {"copy", "copied"},
	replicate.Unchanged: {"", "unchanged"},
	replicate.Deleted:   {"delete", "deleted"},
	replicate.Conflict:  {"", "conflict"},
	replicate.Failed:    {"", "failed"},
	replicate.Different: {"", "different"},
}

// show says what became of one item, if it went wrong or anyone asked.
func (r *replication) show(e replicate.Event) error {
	v, dryRun := copyVerbs[e.Action], r.flags.dryRun
	if e.Err != nil {
		r.complainOf(e)
	}
	name := r.shown(e.Key)
	if e.Column {
		name = "column " + name
	}
	switch {
	case r.app.flags.json:
		item := copiedJSON{Action: v.past, Size: e.Size, DryRun: dryRun}
		if e.Column {
			item.Column = e.Key
		} else {
			item.keyJSON = jsonKey(e.Key)
		}
		if e.Err != nil {
			item.Error = e.Err.Error()
		}
		return r.emit(item)
	case e.Err != nil:
	case dryRun && v.base != "":
		return r.printRaw("would %s %s\n", v.base, name)
	case r.flags.verbose:
		return r.printRaw("%s %s\n", v.past, name)
	}
	return nil
}

// complainOf says why an item could not be copied, or differs.
func (r *replication) complainOf(e replicate.Event) {
	op, code := "copy", exitFailure
	if e.Action == replicate.Different {
		op = "verify"
	}
	if e.Column {
		op += " column"
	}
	if errors.Is(e.Err, kvault.ErrCorrupt) {
		code = exitCorrupt
	}
	r.complain(named(op, e.Key, e.Err), code)
}

// finish reports the totals, and turns what went wrong into the exit code.
func (r *replication) finish() error {
	n, took := r.copier.Counts(), time.Since(r.began)
	if r.app.flags.json {
		if err := r.emit(r.totals(n, took)); err != nil {
			return err
		}
	}
	r.note("%s.", r.words(n, took))
	switch {
	case n.Failed > 0:
		err := fmt.Errorf("%d items failed", n.Failed)
		return &exitError{code: exitSome, err: err, told: true}
	case n.Conflicts+n.Different > 0:
		err := errors.New("there are conflicts or differences")
		return &exitError{code: exitFailure, err: err, told: true}
	}
	return nil
}

// totals are the counts as a JSON object.
func (r *replication) totals(n replicate.Counts, took time.Duration) map[string]any {
	totals := map[string]any{
		"copied": n.Copied, "unchanged": n.Unchanged, "deleted": n.Deleted, "conflicts": n.Conflicts,
		"failed": n.Failed, "bytes": n.Bytes, "columns": n.Columns, "elements": n.Elements,
		"seconds": math.Round(took.Seconds()*1e3) / 1e3,
	}
	if r.flags.verify {
		totals["verified"], totals["different"] = n.Verified, n.Different
	}
	if r.flags.dryRun {
		totals["dry_run"] = true
	}
	return totals
}

// copiedInWords is what was copied, for a person.
func copiedInWords(n replicate.Counts) string {
	s := fmt.Sprintf("%s copied (%s)",
		countInWords(n.Copied-n.Columns, "key"), humanize.IBytes(uint64(n.Bytes)))
	if n.Columns > 0 {
		s += fmt.Sprintf(", %s (%s)",
			countInWords(n.Columns, "column"), countInWords(n.Elements, "element"))
	}
	return s
}

// words are the counts for a person.
func (r *replication) words(n replicate.Counts, took time.Duration) string {
	s := copiedInWords(n)
	if r.flags.dryRun {
		s = "Dry run: " + s
	}
	for _, c := range []struct {
		n    int64
		what string
	}{
		{n.Unchanged, "unchanged"}, {n.Deleted, "deleted"}, {n.Conflicts, "in conflict"},
		{n.Failed, "failed"}, {n.Verified, "verified"}, {n.Different, "different"},
	} {
		if c.n > 0 {
			s += fmt.Sprintf(", %s %s", humanize.Comma(c.n), c.what)
		}
	}
	if r.flags.dryRun {
		return s
	}
	s += ", in " + inWords(took)
	if n.Bytes > 0 {
		s += fmt.Sprintf(" (%s/s)", humanize.IBytes(uint64(float64(n.Bytes)/took.Seconds())))
	}
	return s
}

// unfinished adds to the error that ends the command how far it came.
func (r *replication) unfinished(err error) error {
	if r.copier == nil || r.flags.dryRun {
		return err
	}
	n := r.copier.Counts()
	if n.Copied+n.Unchanged == 0 {
		return err
	}
	far := "Before that: " + copiedInWords(n)
	if n.Unchanged > 0 {
		far += fmt.Sprintf(" and %s unchanged", humanize.Comma(n.Unchanged))
	}
	way := "once that is put right, run the same command again to go on"
	switch {
	case errors.Is(err, context.Canceled):
		way = "run the same command again to go on"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		way = "free some space, then run the same command again to go on"
	}
	return &unfinished{err, far + ". " + strings.ToUpper(way[:1]) + way[1:] + "."}
}
