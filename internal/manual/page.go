package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// pageName is kvault-col-append for "kvault col append".
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page returns the man page of a command in the macros of man(7). Cobra's own pages go through
// Markdown, which takes the asterisks of patterns for emphasis, and show flags as --all[=false].
func page(cmd *cobra.Command, date string) []byte {
	cmd.InitDefaultHelpFlag()
	var b bytes.Buffer
	name := pageName(cmd)
	fmt.Fprintf(&b, ".TH %s 1 %s kvault \"kvault commands\"\n", strings.ToUpper(name), date)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", roff(cmd.UseLine()))
	b.WriteString(".SH DESCRIPTION\n")
	for i, paragraph := range strings.Split(strings.TrimSpace(cmd.Long), "\n\n") {
		writeParagraph(&b, paragraph, i == 0)
	}
	writeFlags(&b, "OPTIONS", cmd.LocalFlags())
	writeFlags(&b, "OPTIONS OF EVERY COMMAND", cmd.InheritedFlags())
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	writeSeeAlso(&b, cmd)
	return b.Bytes()
}

// writeParagraph lets text flow, and keeps the lines of a list or a table as they are.
func writeParagraph(b *bytes.Buffer, text string, first bool) {
	if !first {
		b.WriteString(".PP\n")
	}
	if strings.HasPrefix(text, " ") || strings.Contains(text, "\n ") {
		fmt.Fprintf(b, ".nf\n%s\n.fi\n", roff(text))
		return
	}
	fmt.Fprintf(b, "%s\n", roff(text))
}

func writeFlags(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "\\fB%s\\fR, ", roff("-"+f.Shorthand))
		}
		fmt.Fprintf(b, "\\fB%s\\fR", roff("--"+f.Name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(value))
		}
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, "\n%s\n", roff(usage))
	})
}

// writeSeeAlso names the commands above and below.
func writeSeeAlso(b *bytes.Buffer, cmd *cobra.Command) {
	var others []string
	if cmd.HasParent() {
		others = append(others, pageName(cmd.Parent()))
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			others = append(others, pageName(sub))
		}
	}
	if len(others) == 0 {
		return
	}
	b.WriteString(".SH SEE ALSO\n")
	for i, name := range others {
		comma := " ,"
		if i == len(others)-1 {
			comma = ""
		}
		fmt.Fprintf(b, ".BR %s (1)%s\n", roff(name), comma)
	}
}

// special are the characters that roff would take for its own, or turn into others that a shell
// does not know.
var special = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`)

// roff returns text as a man page needs it to show each line as it is.
func roff(text string) string {
	lines := strings.Split(special.Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
