package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed others.py
var othersSource string

//go:embed requirements.txt
var requirements string

// prepare builds the command and the Python environment, and fills the stores that are only read.
func (r *race) prepare(ctx context.Context, s settings) error {
	r.numbers = s.numbers
	if s.environment == "" {
		s.environment = r.file("python")
	}
	if r.kvault == "" {
		r.kvault = r.file("kvault")
		build := exec.CommandContext(ctx, "go", "build", "-C", "..", "-trimpath", "-ldflags=-s -w", "-o", r.kvault, "github.com/kohakuvault/kvault/cmd/kvault")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	if err := r.environment(ctx, s.environment); err != nil {
		return err
	}
	for _, fill := range []func(context.Context) error{r.askVersions, r.fillFlights, r.fillNumbers} {
		if err := fill(ctx); err != nil {
			return err
		}
	}
	return nil
}

// environment makes a virtual environment with what requirements.txt names, unless there is one.
func (r *race) environment(ctx context.Context, dir string) error {
	r.python = filepath.Join(dir, "bin", "python3")
	ready := filepath.Join(dir, "ready")
	if made, err := os.ReadFile(ready); err == nil && string(made) == requirements {
		return nil
	}
	install := []string{"-m", "pip", "--python", r.python, "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps"}
	for _, args := range [][]string{{"-m", "venv", "--clear", "--without-pip", dir}, append(install, strings.Fields(requirements)...)} {
		if out, err := exec.CommandContext(ctx, "python3", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("python3 %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return os.WriteFile(ready, []byte(requirements), 0o600)
}

func (r *race) other(ctx context.Context, args ...string) ([]byte, error) {
	_, out, err := measure(ctx, r.python, append([]string{"-c", othersSource}, args...)...)
	return out, err
}

func (r *race) ask(ctx context.Context, into any, args ...string) error {
	out, err := r.other(ctx, args...)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}

func (r *race) askVersions(ctx context.Context) error { return r.ask(ctx, &r.versions, "versions") }

func (r *race) fillFlights(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "filling: flights")
	csv, parquet := r.file("flights.csv"), r.file("flights.parquet")
	if err := r.ask(ctx, &r.flights, "flights", csv, parquet); err != nil {
		return err
	}
	if _, err := r.other(ctx, "duckdb_import", csv, r.file("flights.duckdb")); err != nil {
		return err
	}
	_, _, err := measure(ctx, r.kvault, importing(r.file("flights.kv"), csv)...)
	return err
}

func (r *race) fillNumbers(ctx context.Context) error {
	for kind, typ := range map[string]string{"int64": "i64", "float64": "f64"} {
		fmt.Fprintf(os.Stderr, "filling: %s %s\n", thousands(r.numbers), kind)
		table := r.file(kind + ".arrow")
		if _, err := r.other(ctx, "numbers", kind, strconv.Itoa(r.numbers), r.file(kind+".npy"), table); err != nil {
			return err
		}
		if _, _, err := measure(ctx, r.kvault, "-f", r.file(kind+".kv"), "--quiet", "col", "append", "--from", table, "--new", "n="+typ); err != nil {
			return err
		}
		if err := os.Remove(table); err != nil {
			return err
		}
	}
	return nil
}

// measure runs a program to its end and returns how long it took, its peak memory and what it
// printed.
func measure(ctx context.Context, program string, args ...string) (res result, stdout []byte, err error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	// These make old kernels of OpenBLAS safe on some machines; numpy is measured with the ones
	// that suit the processor.
	cmd.Env = without(os.Environ(), "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
	began := time.Now()
	err = cmd.Run()
	res.whole = time.Since(began)
	if ctx.Err() != nil {
		return res, nil, context.Cause(ctx)
	}
	if err != nil {
		text := strings.TrimSpace(complaint.String())
		return res, nil, fmt.Errorf("%s: %w: %s", filepath.Base(program), err, text[max(len(text)-2000, 0):])
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		res.peak = usage.Maxrss << 10 // Linux counts it in KiB
	}
	return res, out.Bytes(), nil
}

func without(env []string, names ...string) (rest []string) {
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if !slices.Contains(names, name) {
			rest = append(rest, e)
		}
	}
	return rest
}

// warm reads files, so that the system has them in memory.
func warm(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		_ = f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
