package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kohakuvault/kvault"
)

// TestMain lets scripts run this test binary as the programs named here.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"kvault":    runCommand,
		"interrupt": runInterrupted,
		"hold":      holdVault,
		"rawput":    rawPut,
	})
}

func TestScripts(t *testing.T) { runScripts(t, "v.kv", filepath.Join("testdata", "script"), nil) }

// runScripts runs the scripts of a folder, or some of them, on a vault.
func runScripts(t *testing.T, vault, folder string, files []string) {
	if files != nil {
		folder = ""
	}
	testscript.Run(t, testscript.Params{
		Dir:                 folder,
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(cond string) (bool, error) {
			if cond != "bucket" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return schemeOf(vault) != "", nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status":   scriptStatus,
			"await":    scriptAwait,
			"damage":   scriptDamage,
			"wipe":     scriptWipe,
			"sql":      scriptSQL,
			"maketree": func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(makeTree(ts.MkAbs(args[0]))) },
			"cmptree":  scriptCompareTrees,
			"noleft":   scriptNoTemporaries,
			"mklines":  scriptMakeLines,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("KVAULT_FILE", vault)
			env.Setenv(bucketDir, env.WorkDir)
			// With the race detector each program would otherwise sleep for a second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
	})
}

// scriptStatus runs a program and compares its exit code: status CODE PROGRAM [ARG...].
func scriptStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// scriptAwait waits until a file exists.
func scriptAwait(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(await(ts.MkAbs(args[0])))
}

func await(name string) error {
	for range 3000 {
		if _, err := os.Stat(name); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s did not appear", name)
}

// scriptDamage changes one byte of each place where a text occurs in a file: damage FILE TEXT.
func scriptDamage(ts *testscript.TestScript, _ bool, args []string) {
	data := []byte(ts.ReadFile(args[0]))
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	changed := []byte(args[1])
	changed[0] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.ReplaceAll(data, []byte(args[1]), changed), 0o666))
}

// scriptWipe clears the first page of a table or an index: wipe FILE NAME.
func scriptWipe(ts *testscript.TestScript, _ bool, args []string) {
	data := []byte(ts.ReadFile(args[0]))
	c, err := sqlite3.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer c.Close()
	st, _, err := c.Prepare(`SELECT (rootpage - 1) * page_size, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?`)
	ts.Check(err)
	defer st.Close()
	ts.Check(st.BindText(1, args[1]))
	if !st.Step() {
		ts.Fatalf("%s has no %s: %v", args[0], args[1], st.Err())
	}
	clear(data[st.ColumnInt(0):][:st.ColumnInt(1)])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o666))
}

// scriptSQL changes a file as another program would: sql FILE STATEMENT, with texts in double
// quotes.
func scriptSQL(ts *testscript.TestScript, _ bool, args []string) {
	c, err := sqlite3.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer c.Close()
	ts.Check(c.Exec(strings.ReplaceAll(args[1], `"`, `'`)))
}

func scriptCompareTrees(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(compareTrees(ts.MkAbs(args[0]), ts.MkAbs(args[1])))
}

// scriptNoTemporaries fails if a temporary file was left behind in a directory.
func scriptNoTemporaries(ts *testscript.TestScript, _ bool, args []string) {
	left, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), ".kvault-*"))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("left behind: %q", left)
	}
}

// scriptMakeLines makes a table of a column n, with integers up to a count and one last text:
// mklines FILE COUNT LAST.
func scriptMakeLines(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := []byte("n\n")
	for i := range count {
		text = fmt.Appendln(text, i+1)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fmt.Appendln(text, args[2]), 0o666))
}

// runInterrupted is kvault, interrupted once it has printed some lines: interrupt LINES [ARG...].
func runInterrupted() {
	lines, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	sys := System()
	sys.Out = &lineLimit{w: os.Stdout, lines: lines, reached: cancel}
	a := newApp(sys)
	a.batch = batchLimits{items: 4, bytes: 64 << 10}
	a.out = bufio.NewWriterSize(sys.Out, 1) // a line is longer and so goes through at once
	os.Exit(a.run(ctx, os.Args[2:]))
}

// lineLimit calls reached once it has passed on a number of lines.
type lineLimit struct {
	w       io.Writer
	lines   int
	reached func()
}

func (l *lineLimit) Write(p []byte) (int, error) {
	if l.lines -= bytes.Count(p, []byte("\n")); l.lines <= 0 {
		l.reached()
	}
	return l.w.Write(p)
}

// holdVault keeps a vault locked until it is told to let go: hold FILE makes FILE.held and waits
// for FILE.release.
func holdVault() {
	name := os.Args[1]
	v, err := kvault.Open(context.Background(), name, nil)
	if err != nil {
		panic(err)
	}
	defer v.Close()
	err = v.Update(context.Background(), func(tx *kvault.Tx) error {
		if err := tx.Put(context.Background(), "held", nil); err != nil {
			return err
		}
		if err := os.WriteFile(name+".held", nil, 0o666); err != nil {
			return err
		}
		return await(name + ".release")
	})
	if err != nil {
		panic(err)
	}
}

// rawPut stores values under keys that no command line could name: rawput FILE QUOTEDKEY VALUE...
func rawPut() {
	v, err := kvault.Open(context.Background(), os.Args[1], nil)
	if err != nil {
		panic(err)
	}
	for i := 2; i+1 < len(os.Args); i += 2 {
		key, err := strconv.Unquote(`"` + os.Args[i] + `"`)
		if err != nil {
			panic(err)
		}
		if err := v.Put(context.Background(), key, []byte(os.Args[i+1])); err != nil {
			panic(err)
		}
	}
	if err := v.Close(); err != nil {
		panic(err)
	}
}
