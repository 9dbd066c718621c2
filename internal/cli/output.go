package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/internal/vaultjson"
)

// keyJSON is a key in JSON.
type keyJSON = vaultjson.Key

func jsonKey(key string) keyJSON { return vaultjson.KeyOf(key) }

// entryJSON is an entry in JSON.
type entryJSON = vaultjson.Entry

func jsonEntry(e kvault.Entry) entryJSON { return vaultjson.EntryOf(e) }

// errorJSON is an error in JSON.
type errorJSON struct {
	Error string `json:"error"`
	Code  int    `json:"code"`
	keyJSON
}

// emit writes v to standard output as one line of JSON.
func (a *app) emit(v any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return encodeLine(a.out, v)
}

func encodeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printf writes text to standard output. On a terminal nothing in it can control that, wherever it
// came from.
func (a *app) printf(format string, args ...any) error {
	return a.print(a.sanitized(a.out, a.sys.Out), format, args...)
}

// printRaw is printf for what may control a terminal.
func (a *app) printRaw(format string, args ...any) error { return a.print(a.out, format, args...) }

func (a *app) print(w io.Writer, format string, args ...any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := fmt.Fprintf(w, format, args...); err != nil || a.progress == nil {
		return err
	}
	a.progress.clear()
	return a.out.Flush()
}

// note tells a person something on standard error; programs that read JSON and those who asked for
// quiet are spared.
func (a *app) note(format string, args ...any) {
	if a.flags.quiet || a.flags.json {
		return
	}
	a.tell(format+"\n", args...)
}

// complain reports an error, of one item or of the whole command.
func (a *app) complain(err error, code int) {
	if !a.flags.json {
		a.tell("kvault: %v\n", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	report := errorJSON{Error: err.Error(), Code: code}
	if keyed := (*kvault.Error)(nil); errors.As(err, &keyed) {
		report.keyJSON = jsonKey(keyed.Key)
	}
	// Where complaints go is the last resort: there is nowhere to report that it failed.
	_ = encodeLine(a.sys.Err, report)
}

// named is err as one of the command op on key, whichever call of the vault it came from.
func named(op, key string, err error) error {
	if keyed := (*kvault.Error)(nil); errors.As(err, &keyed) {
		err = keyed.Err
	}
	return &kvault.Error{Op: op, Key: key, Err: err}
}

func (a *app) tell(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress.clear()
	fmt.Fprintf(a.sanitized(a.sys.Err, a.sys.Err), format, args...)
}
