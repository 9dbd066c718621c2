package cli

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/kohakuvault/kvault"
)

// summary counts how the items of an import or export went. It is safe for concurrent use.
type summary struct {
	mu                             sync.Mutex
	done, unchanged, failed, bytes int64
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
}

// did counts one item as carried over, and with --json says so.
func (a *app) addDone(t *summary, action, key string, size int64) error {
	t.mu.Lock()
	t.done++
	t.bytes += size
	t.mu.Unlock()
	return a.emitAction(action, key, size)
}

// leftAlone counts one item as being there already.
func (a *app) addUnchanged(t *summary, key string, size int64) error {
	t.mu.Lock()
	t.unchanged++
	t.mu.Unlock()
	return a.emitAction("unchanged", key, size)
}

func (a *app) emitAction(action, key string, size int64) error {
	if !a.flags.json {
		return nil
	}
	return a.emit(actionJSON{jsonKey(key), action, size})
}

// failedItem counts one item as failed and says why.
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
func (a *app) finish(t *summary, verb string) error {
	if a.flags.json {
		totals := map[string]int64{verb: t.done, "unchanged": t.unchanged, "failed": t.failed, "bytes": t.bytes}
		if t.times > 0 {
			totals["times_changed"] = t.times
		}
		if err := a.emit(totals); err != nil {
			return err
		}
	}
	s := fmt.Sprintf("%s %s (%s)", countInWords(t.done, "file"), verb, humanize.IBytes(uint64(t.bytes)))
	if t.unchanged > 0 {
		s += fmt.Sprintf(", %s unchanged", humanize.Comma(t.unchanged))
	}
	if t.failed > 0 {
		s += fmt.Sprintf(", %s failed", humanize.Comma(t.failed))
	}
	if t.times > 0 {
		s += fmt.Sprintf(", %s with another time", humanize.Comma(t.times))
	}
	a.note("%s.", s)
	if t.failed == 0 {
		return nil
	}
	return &exitError{code: exitSome, err: fmt.Errorf("%d items failed", t.failed), told: true}
}

// countInWords is n with a noun, in the plural unless n is 1.
func countInWords(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(n) + " " + noun
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
