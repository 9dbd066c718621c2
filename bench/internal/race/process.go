package race

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kohakuvault/kvault/bench/internal/contract"
)

// start runs a contender to its end and returns what it reported.
func start(ctx context.Context, command []string, p contract.Params) (res contract.Result, err error) {
	cmd := exec.CommandContext(ctx, command[0], append(command[1:len(command):len(command)], p.Args()...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	if ctx.Err() != nil {
		return res, context.Cause(ctx)
	}
	if err := json.Unmarshal(stdout.Bytes(), &res); err != nil {
		return res, fmt.Errorf("no result: %w", errors.Join(runErr, err, errors.New(last(stderr.String(), 2000))))
	}
	switch {
	case res.Error != "":
		return res, errors.New(res.Error)
	case runErr != nil:
		return res, fmt.Errorf("%w: %s", runErr, last(stderr.String(), 2000))
	}
	return res, nil
}

func last(s string, n int) string {
	s = strings.TrimSpace(s)
	return s[max(len(s)-n, 0):]
}

// diskBytes is what the files below a folder take.
func diskBytes(dir string) (total int64, err error) {
	err = files(dir, func(path string, info fs.FileInfo) error {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += st.Blocks * 512
		}
		return nil
	})
	return total, err
}

func files(dir string, fn func(path string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return fn(path, info)
	})
}
