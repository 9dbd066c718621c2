package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault/column/exchange"
)

// textFlags say how the formats that are text are written.
type textFlags struct{ delimiter, null string }

func (f *textFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.delimiter, "delimiter", "", "what separates the fields of csv, tsv and lines: one `CHARACTER`, or tab")
	fs.StringVar(&f.null, "null", "", "the `TEXT` that stands for null in csv, tsv and lines, outside of quotes")
}

// options are those of exchange for a format.
func (f textFlags) options(format exchange.Format) (delimiter byte, null string, err error) {
	text := format == exchange.CSV || format == exchange.TSV || format == exchange.Lines
	switch {
	case !text && f.delimiter != "":
		return 0, "", usagef("--delimiter is for csv, tsv and lines, not for %s", format)
	case !text && f.null != "":
		return 0, "", usagef("--null is for csv, tsv and lines, not for %s", format)
	case f.delimiter == "tab", f.delimiter == `\t`:
		return '\t', f.null, nil
	case len(f.delimiter) > 1 || strings.ContainsAny(f.delimiter, "\"\r\n") || f.delimiter >= "\x80":
		return 0, "", usagef("--delimiter %q is not one character of ASCII, other than a quote and a line end, or tab", f.delimiter)
	case f.delimiter != "":
		return f.delimiter[0], f.null, nil
	}
	return 0, f.null, nil
}

// formatOf is the format that a flag names, or else the one that a file's name shows, or else, if
// the name has no extension, fallback.
func formatOf(format choice, file string, fallback exchange.Format) (exchange.Format, error) {
	if format.value != "" {
		return exchange.Format(format.value), nil
	}
	if f, ok := exchange.FormatOf(file); ok {
		return f, nil
	}
	base := filepath.Base(file)
	if ext := filepath.Ext(base); ext != "" && ext != base {
		return "", usagef("the name %q does not show its format: known are %s, the text formats also with .gz behind; --format names one for any other", file, strings.Join(exchange.Extensions(), ", "))
	}
	return fallback, nil
}
