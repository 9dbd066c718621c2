package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
)

// The exit codes. They are part of the interface and do not change.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitSome        = 3
	exitNotFound    = 4
	exitNoVault     = 10
	exitBusy        = 11
	exitCorrupt     = 12
	exitInterrupted = 130
	exitPipe        = 141
)

var exitMeaning = map[int]string{
	exitFailure:  "failure",
	exitUsage:    "usage",
	exitSome:     "some items failed",
	exitNotFound: "key not found",
	exitNoVault:  "no such vault",
	exitBusy:     "busy",
	exitCorrupt:  "corrupt",

	exitInterrupted: "interrupted",
}

// exitHelp is the paragraph on exit codes in the help of a command that opens a vault; extra are
// those of its own.
func exitHelp(extra ...int) string {
	codes := append([]int{exitFailure, exitUsage, exitNoVault, exitBusy, exitCorrupt}, extra...)
	slices.Sort(codes)
	return exitHelpOf(codes)
}

func exitHelpOf(codes []int) string {
	const width = 80
	text, column := "Exit codes: 0 ok", len("Exit codes: 0 ok")
	for _, c := range append(codes, exitInterrupted) {
		word := fmt.Sprintf(" %d %s", c, exitMeaning[c])
		text, column = text+",", column+1
		if column+len(word) >= width {
			text, column, word = text+"\n", 0, word[1:]
		}
		text, column = text+word, column+len(word)
	}
	return text + "."
}

// exitError is an error that decides the exit code.
type exitError struct {
	code int
	err  error
	told bool // nothing more is to be printed
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// exitCode is the code for how a command ended.
func exitCode(ctx context.Context, err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, syscall.EPIPE):
		return exitPipe
	case errors.Is(err, kvault.ErrCorrupt):
		return exitCorrupt
	case errors.Is(err, kvault.ErrBusy):
		return exitBusy
	case errors.Is(err, kvault.ErrNoVault):
		return exitNoVault
	case errors.Is(err, kvault.ErrNotFound):
		return exitNotFound
	}
	return exitFailure
}

// reportFailure says on standard error why the command ends with code.
func (a *app) reportFailure(cmd *cobra.Command, err error, code int) {
	var exit *exitError
	switch {
	case err == nil, code == exitPipe:
	case code == exitInterrupted:
		a.complain(errors.New("interrupted"), code)
		a.noteHowFar(err)
	case errors.As(err, &exit) && exit.told:
	default:
		a.complain(err, code)
		if hint := hintFor(cmd, code, err); hint != "" && !a.flags.json {
			a.note("%s", hint)
		}
		a.noteHowFar(err)
	}
}

// noteHowFar says what a command did before it failed.
func (a *app) noteHowFar(err error) {
	if some := (*unfinished)(nil); errors.As(err, &some) {
		a.note("%s", some.far)
	}
}

// hintFor is the way out of a failure, if there is one to name.
func hintFor(cmd *cobra.Command, code int, err error) string {
	switch code {
	case exitFailure:
		if file := (*fs.PathError)(nil); errors.As(err, &file) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
			return "Free some space where it is written to, and run the command again."
		}
	case exitUsage:
		return fmt.Sprintf("See '%s --help'.", cmd.CommandPath())
	case exitNoVault:
		return "'kvault put', 'kvault import' and 'kvault serve --create' create a vault, or a table in one; " +
			"-f names another vault, and 'kvault tables' lists the tables."
	case exitBusy:
		return "Another process holds the vault; --busy-timeout 1m waits longer for it."
	case exitCorrupt:
		if opening := (*openError)(nil); errors.As(err, &opening) {
			return "'kvault salvage SRC DST' copies what can still be read."
		}
		return "'kvault check' names what is damaged."
	}
	return ""
}
