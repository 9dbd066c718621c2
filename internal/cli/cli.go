// Package cli is the kvault command: it turns a command line into calls of package kvault.
//
// There is one file for each command. A command writes its data to standard output and everything
// else to standard error, and ends with one of the exit codes of exit.go.
package cli

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/engine"
)

// IO is what a command sees of the world around it, apart from the files that its arguments name.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	// Getenv looks up an environment variable, as os.Getenv does.
	Getenv func(name string) string
	// IsTerminal reports whether one of the three streams is a terminal.
	IsTerminal func(stream any) bool
	// Columns is the width of the terminal that a stream is. Nil, or 0 from it, is not known.
	Columns func(stream any) int
}

// System is the IO of this process.
func System() IO {
	return IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Getenv: os.Getenv,
		IsTerminal: func(stream any) bool {
			f, ok := stream.(*os.File)
			return ok && term.IsTerminal(int(f.Fd()))
		},
		Columns: func(stream any) int {
			if f, ok := stream.(*os.File); ok {
				if width, _, err := term.GetSize(int(f.Fd())); err == nil {
					return width
				}
			}
			return 0
		},
	}
}

// Main is Run for the program itself: an interrupt or a request to terminate cancels the context,
// and a second one ends the process at once.
func Main(ctx context.Context, args []string, sys IO) int { return newApp(sys).main(ctx, args) }

func (a *app) main(ctx context.Context, args []string) int {
	// A closed output pipe shall reach the command as an error, so that it can tidy up before it ends.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return a.run(ctx, args)
}

// Run carries out one command line, given without the name of the program, and returns its exit
// code. Cancelling ctx is what an interrupt does: the command tidies up and the code is 130.
func Run(ctx context.Context, args []string, sys IO) int {
	return newApp(sys).run(ctx, args)
}

// app is one run of the command.
type app struct {
	sys   IO
	flags globals
	// open is kvault.Open, except in tests.
	open func(ctx context.Context, path string, o *kvault.Options) (*kvault.Vault, error)
	// openStore is the function of that name, except in tests.
	openStore func(ctx context.Context, address string, readOnly bool) (engine.Store, error)
	// started is set once the command line was understood: any error before that is one of usage.
	started bool
	began   time.Time
	batch   batchLimits
	cacheKB int // of the vault, or 0

	mu       sync.Mutex // guards what follows and writes to sys.Err
	out      *bufio.Writer
	progress *progress
}

func newApp(sys IO) *app {
	return &app{
		sys:  sys,
		out:  bufio.NewWriterSize(sys.Out, 64<<10),
		open: kvault.Open,

		openStore: openStore,

		began: time.Now(),
		batch: batchLimits{items: 2000, bytes: 16 << 20},
	}
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !a.started {
		err = &exitError{code: exitUsage, err: err}
		a.flags.json = a.flags.json || a.wantsJSON(args)
	}
	if flushed := a.out.Flush(); err == nil {
		err = flushed
	}
	code := exitCode(ctx, err)
	a.reportFailure(cmd, err, code)
	return code
}

// wantsJSON guesses what a command line that could not be parsed asked for.
func (a *app) wantsJSON(args []string) bool {
	env, _ := strconv.ParseBool(a.sys.Getenv(envName("json")))
	return env || slices.Contains(args, "--json")
}
