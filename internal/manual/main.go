// Command manual writes what a package of kvault has beside the program, in the layout of
// /usr/share: a man page for each command, and completions for bash, zsh and fish.
//
//	go run ./internal/manual DIR
//
// The pages bear the date of SOURCE_DATE_EPOCH, in seconds, or that of today.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault/internal/cli"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run ./internal/manual DIR")
	}
	if err := write(os.Args[1], os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		log.Fatal(err)
	}
}

// write makes the files below dir.
func write(dir, epoch string) error {
	date := time.Now()
	if epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		date = time.Unix(seconds, 0)
	}
	if err := writePages(dir, cli.Command(), date.UTC().Format(time.DateOnly)); err != nil {
		return err
	}
	for shell, name := range map[string]string{
		"bash": "bash-completion/completions/kvault",
		"zsh":  "zsh/site-functions/_kvault",
		"fish": "fish/vendor_completions.d/kvault.fish",
	} {
		script, err := completion(shell)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, name), script); err != nil {
			return err
		}
	}
	return nil
}

// writePages makes the man pages of a command and of those below it.
func writePages(dir string, cmd *cobra.Command, date string) error {
	name := filepath.Join(dir, "man", "man1", pageName(cmd)+".1")
	if err := writeFile(name, page(cmd, date)); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		if err := writePages(dir, sub, date); err != nil {
			return err
		}
	}
	return nil
}

// completion is what "kvault completion SHELL" prints.
func completion(shell string) ([]byte, error) {
	var out, errs bytes.Buffer
	code := cli.Run(context.Background(), []string{"completion", shell}, cli.IO{
		In: bytes.NewReader(nil), Out: &out, Err: &errs,
		Getenv:     func(string) string { return "" },
		IsTerminal: func(any) bool { return false },
	})
	if code != 0 {
		return nil, fmt.Errorf("kvault completion %s: exit code %d: %s", shell, code, &errs)
	}
	return out.Bytes(), nil
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o666)
}
