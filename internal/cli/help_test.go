package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault/column"
)

// TestHelpFits holds the texts of all helps to the width of a terminal.
func TestHelpFits(t *testing.T) {
	const width = 80
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Long) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("help of %q: a line has %d characters, more than %d: %s", cmd.CommandPath(), n, width, line)
			}
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newApp(System()).rootCommand())
}

// TestHelpTypes makes sure that "col new" tells of every type there is.
func TestHelpTypes(t *testing.T) {
	cmd := newApp(System()).colNewCommand()
	for _, typ := range append(column.Types, "i64:null") {
		base, _, _ := strings.Cut(typ, ":")
		if !strings.Contains(cmd.Long, "\n  "+base) && !strings.Contains(cmd.Long, ", "+base) {
			t.Errorf("the help of %q lacks the type %s", cmd.Name(), typ)
		}
	}
	for _, part := range []string{":utc", ":null"} {
		if !strings.Contains(cmd.Long, part) {
			t.Errorf("the help of %q lacks %s", cmd.Name(), part)
		}
	}
}
