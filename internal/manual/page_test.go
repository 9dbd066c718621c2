package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault/internal/cli"
)

func TestPage(t *testing.T) {
	root := &cobra.Command{Use: "kvault", Short: "Keep files"}
	cmd := &cobra.Command{
		Use: "find [PREFIX]", Short: "Find keys",
		Long:    "Find keys that\n*match* a pattern.\n\n.dots and 'quotes' and \\.\n\nCodes:\n  0  ok\n  10 no such vault",
		Example: `  kvault find '~.^*'`,
		Run:     func(*cobra.Command, []string) {},
	}
	cmd.Flags().BoolP("print0", "0", false, "end each key with a NUL")
	cmd.Flags().Int("limit", 7, "list at most `N`")
	cmd.Flags().String("secret", "", "")
	if err := cmd.Flags().MarkHidden("secret"); err != nil {
		t.Fatal(err)
	}
	root.PersistentFlags().Bool("json", false, "print JSON")
	root.AddCommand(cmd)
	const want = `.TH KVAULT-FIND 1 2026-11-30 kvault "kvault commands"
.SH NAME
kvault\-find \- Find keys
.SH SYNOPSIS
kvault find [PREFIX] [flags]
.SH DESCRIPTION
Find keys that
*match* a pattern.
.PP
\&.dots and \(aqquotes\(aq and \e.
.PP
.nf
Codes:
  0  ok
  10 no such vault
.fi
.SH OPTIONS
.TP
\fB\-h\fR, \fB\-\-help\fR
help for find
.TP
\fB\-\-limit\fR \fIN\fR
list at most N (default 7)
.TP
\fB\-0\fR, \fB\-\-print0\fR
end each key with a NUL
.SH OPTIONS OF EVERY COMMAND
.TP
\fB\-\-json\fR
print JSON
.SH EXAMPLES
.nf
  kvault find \(aq\(ti.\(ha*\(aq
.fi
.SH SEE ALSO
.BR kvault (1)
`
	if got := string(page(cmd, "2026-11-30")); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Each command has its page, with the date that was asked for, and each shell its completions.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	const epoch = "1795996800" // 2026-11-30
	if err := write(dir, epoch); err != nil {
		t.Fatal(err)
	}
	var pages int
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		pages++
		name := filepath.Join(dir, "man", "man1", pageName(cmd)+".1")
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), " 1 2026-11-30 ") || !strings.Contains(string(text), ".SH EXAMPLES") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(cli.Command())
	if files, err := filepath.Glob(filepath.Join(dir, "man", "man1", "*")); err != nil || len(files) != pages || pages < 30 {
		t.Errorf("%d files for %d commands, %v", len(files), pages, err)
	}
	for name, want := range map[string]string{
		"bash-completion/completions/kvault":    "__start_kvault kvault",
		"zsh/site-functions/_kvault":            "#compdef kvault",
		"fish/vendor_completions.d/kvault.fish": "complete -c kvault",
	} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q, %v", name, want, err)
		}
	}
	if err := write(dir, "yesterday"); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("a wrong date: %v", err)
	}
}
