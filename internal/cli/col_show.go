package cli

import (
	"cmp"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column/exchange"
)

func (a *app) colShowCommand() *cobra.Command {
	var rows rowFlags
	var text textFlags
	cmd := &cobra.Command{
		Use:   "show NAME...|TABLE/",
		Short: "Print rows",
		Long: `Print the elements of columns of one length, a row on a line with tabs between
them, or with --json an object on each line. Elements of type bytes are base64;
vectors, msgpack and cbor are JSON.
On a terminal there is a line with the names of the columns above the rows, and
characters that would control it are shown as "?".

` + rowHelp + "\n\n" + colExitHelp(),
		Example: `  kvault -f media.kv col show name size --head 10
  kvault -f media.kv col show size --from -3
  kvault -f media.kv col show flights/ --where "origin = 'JFK'" --sample 5
  kvault -f media.kv col show name size --where 'size > 1e6' --sort size --desc`,
		Args:              columnNames,
		ValidArgsFunction: a.completeColumns(-1),
		RunE: a.action(func(ctx context.Context, args []string) error {
			o, err := rows.options()
			if err != nil {
				return err
			}
			format := exchange.Lines
			if a.flags.json {
				format = exchange.NDJSON
			}
			if o.Delimiter, o.Null, err = text.options(format); err != nil {
				return err
			}
			return a.withVault(ctx, reading, func(v *kvault.Vault) error {
				names, prefix, err := a.tableArgs(ctx, v, args)
				if err != nil {
					return err
				}
				o.Prefix = prefix
				out := a.sanitized(a.out, a.sys.Out)
				if format == exchange.Lines && a.terminal(a.sys.Out) {
					out = &headedWriter{out, heading(names, prefix, o.Delimiter)}
				}
				_, err = exchange.Export(ctx, v, out, format, names, o)
				return err
			})
		}),
	}
	text.register(cmd)
	rows.register(cmd)
	return cmd
}

// heading is the line with the names of columns, without the table that they are all of.
func heading(names []string, prefix string, delimiter byte) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte(cmp.Or(delimiter, '\t'))
		}
		b.WriteString(strings.TrimPrefix(name, prefix))
	}
	return b.String() + "\n"
}

// headedWriter writes a heading before the first row, once there is one.
type headedWriter struct {
	io.Writer
	heading string
}

func (w *headedWriter) Write(p []byte) (int, error) {
	if w.heading != "" {
		if _, err := io.WriteString(w.Writer, w.heading); err != nil {
			return 0, err
		}
		w.heading = ""
	}
	return w.Writer.Write(p)
}

// columnNames accepts one name or more.
func columnNames(cmd *cobra.Command, args []string) error {
	if err := takes(1, -1, 0)(cmd, args); err != nil {
		return err
	}
	for _, name := range args {
		if name == "" {
			return usagef("%s: a name is empty", cmd.Name())
		}
	}
	return nil
}
