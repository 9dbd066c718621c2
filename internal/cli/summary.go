package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/kohakuvault/kvault"
)

// verb is what a command does with files: in a dry run it would import, and else it has imported.
type verb struct{ base, past string }

// report says what of the work on each item is shown.
type report struct{ dryRun, verbose bool }

// summary counts how the items of an import or export went. It is safe for concurrent use.
type summary struct {
	verb
	report
	syncs bool // may delete, too

	mu                             sync.Mutex
	done, unchanged, failed, bytes int64
	folders                        int64 // carried over besides the files
	skipped                        int64 // were not to be replaced
	deleted                        int64
	times                          int64 // that did not fit
}

func (t *summary) addTimes(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times += n
}

// actionJSON says in JSON what became of one item.
type actionJSON struct {
	keyJSON
	Action string `json:"action"`
	Size   int64  `json:"size"`
	DryRun bool   `json:"dry_run,omitempty"`
}

// add counts one item as carried over.
func (t *summary) add(size int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	t.bytes += size
}

func (t *summary) addFolder() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.folders++
}

// addDone counts one item as carried over. A key that ends in a slash is that of a directory.
func (a *app) addDone(t *summary, key string, size int64) error {
	if strings.HasSuffix(key, "/") {
		t.addFolder()
	} else {
		t.add(size)
	}
	return a.showAction(t, t.verb, key, size)
}

// addUnchanged counts one item as being there already.
func (a *app) addUnchanged(t *summary, key string, size int64) error {
	t.mu.Lock()
	t.unchanged++
	t.mu.Unlock()
	if t.dryRun && !t.verbose && !a.flags.json {
		return nil
	}
	return a.showAction(t, verb{past: "unchanged"}, key, size)
}

// addSkipped counts one item as one that was not to be replaced.
func (a *app) addSkipped(t *summary, key string, size int64) error {
	t.mu.Lock()
	t.skipped++
	t.mu.Unlock()
	return a.showAction(t, verb{base: "skip", past: "skipped"}, key, size)
}

// showAction says what became of one item, if anyone asked.
func (a *app) showAction(t *summary, v verb, key string, size int64) error {
	switch {
	case a.flags.json:
		return a.emit(actionJSON{jsonKey(key), v.past, size, t.dryRun})
	case t.dryRun && v.base != "":
		return a.printRaw("would %s %s\n", v.base, a.shown(key))
	case t.dryRun, t.verbose:
		return a.printRaw("%s %s\n", v.past, a.shown(key))
	}
	return nil
}

// addFailed counts one item as failed and says why.
func (a *app) addFailed(t *summary, op, key string, err error) {
	t.mu.Lock()
	t.failed++
	t.mu.Unlock()
	err = named(op, key, err)
	code := exitFailure
	if errors.Is(err, kvault.ErrCorrupt) {
		code = exitCorrupt
	}
	a.complain(err, code)
}

// finish reports the totals, and turns failed items into exit code 3.
func (a *app) finish(t *summary) error {
	took := time.Since(a.began)
	if a.flags.json {
		if err := a.emit(t.totals(took)); err != nil {
			return err
		}
	}
	a.note("%s.", t.words(took))
	if t.failed == 0 {
		return nil
	}
	return &exitError{code: exitSome, err: fmt.Errorf("%d items failed", t.failed), told: true}
}

// totals is the summary as a JSON object.
func (t *summary) totals(took time.Duration) map[string]any {
	totals := map[string]any{
		t.past: t.done, "unchanged": t.unchanged, "failed": t.failed, "bytes": t.bytes,
		"seconds": math.Round(took.Seconds()*1e3) / 1e3,
	}
	if t.syncs {
		totals["deleted"] = t.deleted
	}
	for key, n := range map[string]int64{"skipped": t.skipped, "folders": t.folders, "times_changed": t.times} {
		if n > 0 {
			totals[key] = n
		}
	}
	if t.dryRun {
		totals["dry_run"] = true
	}
	return totals
}

// words is the summary for a person.
func (t *summary) words(took time.Duration) string {
	size := humanize.IBytes(uint64(t.bytes))
	s := fmt.Sprintf("%s %s (%s)", countInWords(t.done, "file"), t.past, size)
	if t.dryRun {
		s = "Dry run: " + s
	}
	if t.folders > 0 {
		s += ", " + countDirectories(t.folders)
	}
	for _, c := range []struct {
		n    int64
		what string
	}{
		{t.skipped, "skipped"}, {t.unchanged, "unchanged"}, {t.deleted, "deleted"},
		{t.failed, "failed"}, {t.times, "with another time"},
	} {
		if c.n > 0 {
			s += fmt.Sprintf(", %s %s", humanize.Comma(c.n), c.what)
		}
	}
	if t.dryRun {
		return s
	}
	s += ", in " + inWords(took)
	if t.bytes > 0 {
		s += fmt.Sprintf(" (%s/s)", humanize.IBytes(uint64(float64(t.bytes)/took.Seconds())))
	}
	return s
}

// unfinished is the error of a command that failed on the way, and goes on when it is run again.
type unfinished struct {
	err error
	far string // how far it came and what to do, for a person
}

func (e *unfinished) Error() string { return e.err.Error() }
func (e *unfinished) Unwrap() error { return e.err }

// unfinished adds to the error that ends a command how far it came.
func (t *summary) unfinished(err error) error {
	if err == nil || t.dryRun || t.done+t.unchanged == 0 {
		return err
	}
	far := fmt.Sprintf("Before that, %s %s (%s)",
		countInWords(t.done, "file"), map[bool]string{true: "was ", false: "were "}[t.done == 1]+t.past,
		humanize.IBytes(uint64(t.bytes)))
	if t.unchanged > 0 {
		far += fmt.Sprintf(" and %s unchanged", humanize.Comma(t.unchanged))
	}
	way := "run the same command again to go on"
	switch {
	case errors.Is(err, context.Canceled):
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		way = "free some space, then " + way
	default:
		way = "once that is put right, " + way
	}
	return &unfinished{err, far + ": " + way + "."}
}

// countInWords is n with a noun, in the plural unless n is 1.
func countInWords(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(n) + " " + noun
}

func countDirectories(n int64) string {
	if n == 1 {
		return "1 directory"
	}
	return humanize.Comma(n) + " directories"
}

// isFatal reports whether an error will meet every further item too.
func isFatal(err error) bool {
	for _, e := range []error{kvault.ErrBusy, kvault.ErrClosed, kvault.ErrReadOnly, syscall.ENOSPC, syscall.EDQUOT, syscall.EPIPE, os.ErrDeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
