package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault/internal/gitignore"
)

// longestPatternFile bounds what a file of patterns may cost.
const longestPatternFile = 1 << 20

const filterHelp = `--exclude leaves out what PATTERN matches, by the rules of .gitignore: "*.o" in
every directory, "/tmp" only at the top, "cache/" only as a directory with all
that is in it. --include P is --exclude '!P': it takes back what a PATTERN
before it left out. --exclude-from adds the lines of a file. Of all these, in
the order of the command line, the last PATTERN that matches decides. A
directory that is left out is not looked into, so that nothing below it can be
taken back.`

// filter leaves files out of what a command does, by the rules of .gitignore.
type filter struct {
	given []filterFlag
	gitignore.Patterns
}

// filterFlag is one flag on the command line. Its patterns are read later, all in their order.
type filterFlag struct {
	filter     *filter
	flag, text string
}

func (f *filter) register(cmd *cobra.Command) {
	for name, usage := range map[string]string{
		"exclude":      "leave out what `PATTERN` matches",
		"include":      "take what `PATTERN` matches, though one before it left it out",
		"exclude-from": "leave out what the patterns in `FILE` match",
	} {
		cmd.Flags().Var(&filterFlag{filter: f, flag: name}, name, usage)
	}
}

// String returns nothing: the flag has no default.
func (v *filterFlag) String() string { return "" }

// Type returns what help shows as the flag's value.
func (v *filterFlag) Type() string { return "PATTERN" }

// Set notes one more flag.
func (v *filterFlag) Set(text string) error {
	v.filter.given = append(v.filter.given, filterFlag{v.filter, v.flag, text})
	return nil
}

// load reads the patterns of all flags.
func (f *filter) load(ctx context.Context, a *app, command string) error {
	stdin := false
	for _, v := range f.given {
		holds, err := true, error(nil)
		switch {
		case v.text == "":
			err = errors.New("it is empty")
		case v.flag == "exclude":
			if holds, err = f.Add(v.text); !holds && err == nil {
				err = fmt.Errorf(`%q is a comment, or blank; \# and "\ " are the characters`, v.text)
			}
		case v.flag == "include" && v.text[0] == '!':
			err = fmt.Errorf(`%q: it takes no "!"; \! is the character`, v.text)
		case v.flag == "include":
			_, err = f.Add("!" + v.text)
		case v.text == "-" && stdin:
			err = errors.New("standard input was read already")
		default:
			stdin = stdin || v.text == "-"
			if err := f.addFile(ctx, a, v.text); err != nil {
				return fmt.Errorf("%s: --exclude-from: %w", command, err)
			}
		}
		if err != nil {
			return usagef("%s: --%s: %w", command, v.flag, err)
		}
	}
	return nil
}

func (f *filter) addFile(ctx context.Context, a *app, name string) error {
	var in io.ReadCloser
	shown := "standard input"
	if name == "-" {
		in = a.stdin(ctx)
	} else {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		if info, err := file.Stat(); err == nil && info.IsDir() {
			return errors.Join(fmt.Errorf("%s is a directory", name), file.Close())
		}
		in, shown = file, name
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, longestPatternFile+1))
	switch {
	case err != nil:
		return err
	case len(text) > longestPatternFile:
		return fmt.Errorf("%s has more than %d bytes", shown, longestPatternFile)
	}
	if err := f.AddFile(string(text)); err != nil {
		return fmt.Errorf("%s: %w", shown, err)
	}
	return nil
}
